#include "app/secrets.h"

#include <array>
#include <optional>
#include <utility>

#include "app/assembly.h"

namespace restitch::app {
namespace {

constexpr std::string_view kFile = "secrets.json";
constexpr std::size_t kMaxSecretBytes = 4096;
constexpr std::size_t kMinSigningKeyLength = 32;
constexpr std::size_t kMaxSigningKeyLength = 512;

bool names_secret(bson::ValueView value, std::string_view name) {
  if (value.as_string() == name) return true;
  for (const bson::Element& element : value.as_array().value_or(bson::View())) {
    if (element.value.as_string() == name) return true;
  }
  return false;
}

// Whether some member of `secret_config` names the secret.
bool is_secret_name(bson::View secret_config, std::string_view name) {
  for (const bson::Element& element : secret_config) {
    if (names_secret(element.value, name)) return true;
  }
  return false;
}

bson::Document with_member(bson::View object, std::string_view name, const bson::Value& value) {
  bson::Builder out;
  for (const bson::Element& element : object) {
    if (element.name != name) out.append(element.name, element.value);
  }
  out.append(name, value);
  return std::move(out).finish();
}

// Turns the members of one entity in secrets.json into secrets.
class SecretReader {
 public:
  SecretReader(Assembly& assembly, std::string_view entity, bson::Document& secret_config)
      : assembly_(assembly), entity_(entity), secret_config_(secret_config) {}

  void read(const Node& node) {
    node.each_member([&](std::string_view field, const Node& value) {
      if (is_secret_name(secret_config_, field) && !secret_config_.view().contains(field)) {
        put(value, std::string(field), value.value());
        return;
      }
      const std::string name = "__" + std::string(entity_) + "_" + std::string(field);
      if (value.value().type() == bson::Type::kArray) {
        read_list(value, field, name);
      } else if (put(value, name, value.value())) {
        secret_config_ = with_member(secret_config_, field, name_of(field, name));
      }
    });
  }

 private:
  // signingKeys is a list, whatever the file has.
  static bson::Value name_of(std::string_view field, const std::string& name) {
    if (field != "signingKeys") return bson::Value::of(name);
    return bson::Value::array(bson::make_document("0", name));
  }

  void read_list(const Node& list, std::string_view field, const std::string& name) {
    bson::Builder names;
    std::size_t index = 0;
    list.each_element([&](const Node& value) {
      const std::string one = name + "_" + std::to_string(index);
      if (put(value, one, value.value())) names.append(std::to_string(index++), one);
    });
    secret_config_ =
        with_member(secret_config_, field, bson::Value::array(std::move(names).finish()));
  }

  bool put(const Node& node, const std::string& name, bson::ValueView value) {
    const auto text = value.as_string();
    if (!text) {
      node.error("must be a string");
      return false;
    }
    if (text->size() > kMaxSecretBytes) {
      node.error("must be at most " + std::to_string(kMaxSecretBytes) + " bytes long");
    }
    if (name.size() > kMaxNameLength || !has_name_characters(name)) {
      node.error("gives a secret the name '" + name +
                 "', which is longer than 64 characters or has characters other than ASCII "
                 "letters, digits, underscores and hyphens");
    }
    assembly_.config.secrets[name] = std::string(*text);
    return true;
  }

  Assembly& assembly_;
  std::string_view entity_;
  bson::Document& secret_config_;
};

void read_provider_secrets(Assembly& assembly, const Node& providers) {
  providers.each_member([&](std::string_view type, const Node& node) {
    for (AuthProviderConfig& provider : assembly.config.auth_providers) {
      if (provider.type != type) continue;
      SecretReader(assembly, type, provider.secret_config).read(node);
      return;
    }
    if (node.is_object() && node.value().get_document().empty()) return;
    node.warning("there is no such authentication provider; its secrets are ignored",
                 "AuthProviderNotFound");
  });
}

bson::Document secret_config_of(bson::View file) {
  const auto found = file.find("secret_config").as_object();
  return found ? bson::Document(*found) : bson::Document();
}

// The file of a third-party service, with its secret_config completed.
bool read_service_secrets(Assembly& assembly, std::string_view name, const Node& node) {
  for (OpaqueFile& other : assembly.config.others) {
    const auto file = other.content.view().as_object();
    if (!file || file_name(other.path) != "config.json") continue;
    if (!other.path.starts_with("services/") || file->find("name").as_string() != name) continue;
    bson::Document secret_config = secret_config_of(*file);
    SecretReader(assembly, name, secret_config).read(node);
    if (secret_config.empty()) return true;
    other.content = bson::Value::of(
        with_member(*file, "secret_config", bson::Value::of(std::move(secret_config))));
    return true;
  }
  return false;
}

bool read_source_secrets(Assembly& assembly, std::string_view name, const Node& node) {
  for (DataSourceConfig& source : assembly.config.data_sources) {
    if (source.name != name) continue;
    bson::Document secret_config = secret_config_of(source.raw);
    SecretReader(assembly, name, secret_config).read(node);
    if (const auto uri = secret_config["uri"].as_string()) source.uri_secret = std::string(*uri);
    if (!secret_config.empty()) {
      source.raw =
          with_member(source.raw, "secret_config", bson::Value::of(std::move(secret_config)));
    }
    return true;
  }
  return false;
}

void read_all_service_secrets(Assembly& assembly, const Node& services) {
  services.each_member([&](std::string_view name, const Node& node) {
    if (read_source_secrets(assembly, name, node) || read_service_secrets(assembly, name, node)) {
      return;
    }
    if (node.is_object() && node.value().get_document().empty()) return;
    node.warning("there is no such service; its secrets are ignored", "ServiceNotFound");
  });
}

// Keys of HS256 have a length; those of RS256 are PEM texts of any.
void check_signing_keys(const Assembly& assembly, const Node& secrets) {
  const AuthProviderConfig* provider = assembly.config.find_auth_provider("custom-token");
  if (provider == nullptr || provider->config["signingAlgorithm"].as_string() != "HS256") return;
  const auto keys = provider->secret_config["signingKeys"].as_array();
  for (const bson::Element& key : keys.value_or(bson::View())) {
    const auto known =
        assembly.config.secrets.find(std::string(key.value.as_string().value_or("")));
    if (known == assembly.config.secrets.end()) continue;
    const std::size_t length = character_count(known->second);
    if (length >= kMinSigningKeyLength && length <= kMaxSigningKeyLength) continue;
    secrets.error("the signing key '" + known->first + "' must be 32 to 512 characters long");
  }
}

void add_references(std::vector<SecretReference>& out, bson::ValueView value,
                    const std::string& file, const std::string& pointer) {
  if (const auto text = value.as_string()) {
    if (!text->empty()) out.push_back({std::string(*text), file, pointer});
    return;
  }
  for (const bson::Element& element : value.as_array().value_or(bson::View())) {
    add_references(out, element.value, file, below(pointer, element.name));
  }
}

}  // namespace

void read_secrets(Assembly& assembly) {
  const Node file = assembly.file(std::string(kFile));
  if (!file.exists() || !file.is_object()) return;
  constexpr std::array<std::string_view, 2> kKeys = {"auth_providers", "services"};
  file.warn_of_unknown_members(kKeys);
  read_provider_secrets(assembly, file["auth_providers"]);
  read_all_service_secrets(assembly, file["services"]);
  check_signing_keys(assembly, file["auth_providers"]["custom-token"]);
}

std::vector<SecretReference> secret_references(const Config& config) {
  std::vector<SecretReference> out;
  const bool is_legacy = config.config_version < 20210101;
  for (const AuthProviderConfig& provider : config.auth_providers) {
    const std::string file =
        is_legacy ? "auth_providers/" + provider.type + ".json" : "auth/providers.json";
    const std::string at = (is_legacy ? "" : below("", provider.type)) + "/secret_config";
    for (const bson::Element& element : provider.secret_config.view()) {
      add_references(out, element.value, file, below(at, element.name));
    }
  }
  for (const ValueConfig& value : config.values) {
    if (!value.from_secret) continue;
    add_references(out, value.value, "values/" + value.name + ".json", "/value");
  }
  for (const DataSourceConfig& source : config.data_sources) {
    if (source.uri_secret.empty()) continue;
    out.push_back({source.uri_secret, source.directory + "/config.json", "/secret_config/uri"});
  }
  for (const EndpointConfig& endpoint : config.endpoints) {
    if (endpoint.disabled || endpoint.validation == RequestValidation::kNone ||
        endpoint.secret_name.empty()) {
      continue;
    }
    out.push_back({endpoint.secret_name, endpoint.file, endpoint.pointer + "/secret_name"});
  }
  return out;
}

void check_secret_references(const Config& config, const std::map<std::string, std::string>& known,
                             Findings& findings) {
  for (const SecretReference& reference : secret_references(config)) {
    if (known.contains(reference.name)) continue;
    findings.error(reference.file, reference.pointer, "InvalidParameter",
                   "secret not found: \"" + reference.name + "\"");
  }
}

}  // namespace restitch::app
