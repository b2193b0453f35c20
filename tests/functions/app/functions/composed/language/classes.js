// call: []
// gives: ["Rex barks", 2, "Animal", true]
class Animal {
  static count = 0;
  #name;
  constructor(name) { this.#name = name; Animal.count++; }
  get name() { return this.#name; }
  speak() { return `${this.#name} makes a sound`; }
}
class Dog extends Animal {
  speak() { return `${this.name} barks`; }
}
exports = () => [new Dog("Rex").speak(), (new Animal("x"), Animal.count), Animal.name, new Dog("y") instanceof Animal];
