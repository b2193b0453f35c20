#include <iostream>
#include <set>

#include "cli/registry.h"

namespace restitch::cli {
namespace {

std::vector<CLI::App*> commands_of(CLI::App* app) {
  return app->get_subcommands([](CLI::App*) { return true; });
}

// Names of options and commands that may follow.
std::string words_of(CLI::App* app) {
  std::string words;
  for (CLI::App* command : commands_of(app)) words.append(command->get_name()).append(" ");
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames())
      words.append("--").append(name).append(" ");
  }
  if (!words.empty()) words.pop_back();
  return words;
}

void add_cases(CLI::App* app, const std::string& path, std::string& known, std::string& words) {
  words.append("    \"" + path + "\") words=\"" + words_of(app) + "\" ;;\n");
  for (CLI::App* command : commands_of(app)) {
    const std::string below = path + " " + command->get_name();
    known.append(known.empty() ? "" : "|").append("\"" + below + "\"");
    add_cases(command, below, known, words);
  }
}

std::string bash_script(CLI::App* root) {
  std::string known;
  std::string words;
  add_cases(root, "", known, words);
  return "_restitch() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" path=\"\" word words=\"\" i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    word=\"${COMP_WORDS[i]}\"\n"
         "    case \"$path $word\" in\n      " +
         known +
         ") path=\"$path $word\" ;;\n    esac\n  done\n"
         "  case \"$path\" in\n" +
         words +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "}\n"
         "complete -o filenames -F _restitch restitch\n";
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? "\\'" : std::string(1, c));
  return out + "'";
}

void add_fish_lines(CLI::App* app, const std::string& condition, std::string& out) {
  for (CLI::App* command : commands_of(app)) {
    out += "complete -c restitch -f -n " + quoted(condition) + " -a " + command->get_name() +
           " -d " + quoted(command->get_description()) + "\n";
  }
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) {
      out += "complete -c restitch -n " + quoted(condition) + " -l " + name + " -d " +
             quoted(option->get_description()) + "\n";
    }
  }
  for (CLI::App* command : commands_of(app)) {
    const std::string seen = "__fish_seen_subcommand_from " + command->get_name();
    const bool is_first = condition == "__fish_use_subcommand";
    add_fish_lines(command, is_first ? seen : condition + "; and " + seen, out);
  }
}

}  // namespace

void add_completion_commands(Registry& registry) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* root = &registry.root();
  CLI::App* command = root->add_subcommand("completion", "Print a completion script for a shell");
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "bash: restitch completion bash > /etc/bash_completion.d/restitch\n"
      "zsh:  source <(restitch completion zsh)\n"
      "fish: restitch completion fish > ~/.config/fish/completions/restitch.fish");
  command->callback([&chosen = registry.chosen(), root, shell] {
    std::string text;
    if (*shell == "fish") {
      add_fish_lines(root, "__fish_use_subcommand", text);
    } else {
      if (*shell == "zsh") text = "autoload -U +X bashcompinit && bashcompinit\n";
      text += bash_script(root);
    }
    chosen = [text] {
      std::cout << text;
      return 0;
    };
  });
}

}  // namespace restitch::cli
