// call: [[{"price": 2.5, "count": 2}]]
// gives: [5, "Red"]
interface Line { price: number; count: number }
type Colour = "Red" | "Blue";
const first = <T,>(list: T[]): T => list[0]!;
exports = (lines: Line[]): [number, Colour] => [lines.reduce((sum: number, { price, count }) => sum + price * count, 0), first<Colour>(["Red"])];
