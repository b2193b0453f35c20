#include "app/config.h"

#include <utility>

namespace restitch::app {

const DataSourceConfig* Config::find_data_source(std::string_view source_name) const {
  for (const DataSourceConfig& source : data_sources) {
    if (source.name == source_name) return &source;
  }
  return nullptr;
}

const AuthProviderConfig* Config::find_auth_provider(std::string_view type) const {
  for (const AuthProviderConfig& provider : auth_providers) {
    if (provider.type == type) return &provider;
  }
  return nullptr;
}

const FunctionConfig* Config::find_function(std::string_view function_name) const {
  const FunctionConfig* alias = nullptr;
  for (const FunctionConfig& function : functions) {
    if (function.name == function_name) return &function;
    if (function.path == function_name) alias = &function;
  }
  return alias;
}

std::string to_line(const Finding& finding) {
  std::string line = finding.file;
  if (!line.empty()) line.append(": ");
  if (!finding.pointer.empty()) line.append(finding.pointer).append(": ");
  return line.append(finding.message);
}

void Findings::error(std::string file, std::string pointer, std::string code, std::string message) {
  list_.push_back({FindingSeverity::kError, std::move(file), std::move(pointer), std::move(code),
                   std::move(message)});
  has_errors_ = true;
}

void Findings::warning(std::string file, std::string pointer, std::string code,
                       std::string message) {
  list_.push_back({FindingSeverity::kWarning, std::move(file), std::move(pointer), std::move(code),
                   std::move(message)});
}

}  // namespace restitch::app
