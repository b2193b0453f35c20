#include <algorithm>
#include <array>
#include <utility>

#include "app/assembly.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 8> kTypes = {
    "anon-user",       "api-key",       "local-userpass",  "custom-token",
    "custom-function", "oauth2-google", "oauth2-facebook", "oauth2-apple"};
constexpr std::array<std::string_view, 10> kAlgorithms = {
    "HS256", "RS256", "HS384", "HS512", "RS384", "RS512", "ES256", "ES384", "ES512", ""};
constexpr std::size_t kMaxSubjectLength = 256;
constexpr std::size_t kMaxSigningKeys = 3;
constexpr std::size_t kMaxFieldNameLength = 64;

// The last segment of a dotted path in which "\." is a plain dot.
std::string last_segment(std::string_view path) {
  std::string segment;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size() && path[i + 1] == '.') {
      segment.push_back('.');
      ++i;
    } else if (path[i] == '.') {
      segment.clear();
    } else {
      segment.push_back(path[i]);
    }
  }
  return segment;
}

// Reads and checks one provider.
class ProviderReader {
 public:
  ProviderReader(Assembly& assembly, const Node& node, std::string_view key)
      : assembly_(assembly), node_(node), key_(key) {}

  void read() {
    if (!node_.exists()) node_.error("must be an object");
    if (!node_.is_object()) return;
    provider_.type = node_["type"].text(key_);
    check_names();
    provider_.disabled = node_["disabled"].flag();
    provider_.config = node_["config"].object();
    provider_.secret_config = node_["secret_config"].object();
    provider_.redirect_uris = node_["redirect_uris"].texts();
    provider_.domain_restrictions = node_["domain_restrictions"].texts();
    read_metadata_fields();
    check_config();
    if (assembly_.config.find_auth_provider(provider_.type) != nullptr) {
      node_["type"].error(
          "must specify unique names when importing Auth Providers; duplicate name: " +
              provider_.type,
          "AuthProviderDuplicateName");
      return;
    }
    assembly_.config.auth_providers.push_back(std::move(provider_));
  }

 private:
  void check_names() const {
    if (std::find(kTypes.begin(), kTypes.end(), provider_.type) == kTypes.end()) {
      node_["type"].error(
          "unknown provider type '" + provider_.type + "', must be one of " + joined(kTypes),
          "AuthProviderNotFound");
      return;
    }
    const std::string name = node_["name"].text(provider_.type);
    if (name != provider_.type) {
      node_["name"].error("must equal the type, '" + provider_.type + "'");
    }
    if (!assembly_.tree.is_legacy() && key_ != provider_.type) {
      node_.error("the key must equal the type, '" + provider_.type + "'");
    }
  }

  void read_metadata_fields() {
    node_["metadata_fields"].each_element([&](const Node& field) {
      if (!field.exists()) field.error("must be an object");
      if (!field.is_object()) return;
      const std::string name = field["name"].required_text();
      std::string field_name = field["field_name"].text();
      field["required"].flag();
      if (provider_.type == "custom-token") {
        if (field_name.empty()) field_name = last_segment(name);
        if (character_count(field_name) >= kMaxFieldNameLength) {
          field["field_name"].error("must be shorter than 64 characters");
        }
      }
      bson::Builder out;
      for (const bson::Element& element : field.value().get_document()) {
        if (element.name != "field_name") out.append(element.name, element.value);
      }
      if (!field_name.empty()) out.append("field_name", field_name);
      provider_.metadata_fields.push_back(std::move(out).finish());
    });
  }

  void check_config() {
    const Node config = node_["config"];
    if (provider_.type == "local-userpass") {
      check_local_userpass(config);
    } else if (provider_.type == "custom-token") {
      check_custom_token(config);
    } else if (provider_.type == "custom-function") {
      const std::string name = function(config, "authFunctionName", "authFunctionId");
      if (name.empty() && !provider_.disabled) {
        config["authFunctionName"].error("is required", "MissingParameter");
      }
    } else if (provider_.type.starts_with("oauth2-")) {
      check_oauth2(config);
    }
  }

  void check_local_userpass(const Node& config) {
    for (const std::string_view key : {"confirmEmailSubject", "resetPasswordSubject"}) {
      if (character_count(config[key].text()) > kMaxSubjectLength) {
        config[key].error("must be at most 256 characters long");
      }
    }
    const bool confirms = config["autoConfirm"].flag();
    const bool confirms_by_function = config["runConfirmationFunction"].flag();
    const std::string url = config["emailConfirmationUrl"].text();
    config["resetPasswordUrl"].text();
    if (confirms_by_function) {
      check_needed_function(config, "confirmationFunctionName", "confirmationFunctionId",
                            "runConfirmationFunction");
    }
    if (config["runResetFunction"].flag()) {
      check_needed_function(config, "resetFunctionName", "resetFunctionId", "runResetFunction");
    }
    if (!provider_.disabled && !confirms && !confirms_by_function && url.empty()) {
      config.warning(
          "new users cannot be confirmed: none of autoConfirm, runConfirmationFunction and "
          "emailConfirmationUrl is set");
    }
  }

  void check_needed_function(const Node& config, std::string_view name_key, std::string_view id_key,
                             std::string_view reason) {
    if (!function(config, name_key, id_key).empty() || provider_.disabled) return;
    config[name_key].error("is required when " + std::string(reason) + " is true",
                           "MissingParameter");
  }

  // Also puts the name into the provider's configuration if only an id is there.
  std::string function(const Node& config, std::string_view name_key, std::string_view id_key) {
    std::string name = assembly_.function_name(config, name_key, id_key);
    assembly_.check_function(config[name_key], name, provider_.disabled);
    if (!name.empty() && config[name_key].text().empty()) {
      bson::Builder out;
      for (const bson::Element& element : provider_.config.view()) {
        if (element.name != name_key) out.append(element.name, element.value);
      }
      out.append(name_key, name);
      provider_.config = std::move(out).finish();
    }
    return name;
  }

  void check_custom_token(const Node& config) const {
    const Node audience = config["audience"];
    if (audience.value().type() == bson::Type::kArray) {
      audience.texts();
    } else {
      audience.text();
    }
    config["requireAnyAudience"].flag();
    const bool uses_jwk_uri = config["useJWKURI"].flag();
    const std::string algorithm = config["signingAlgorithm"].choice(kAlgorithms, "");
    const std::size_t keys = count_signing_keys(config);
    if (keys > kMaxSigningKeys)
      node_["secret_config"]["signingKeys"].error("at most 3 are allowed");
    if (provider_.disabled) return;
    if (uses_jwk_uri) {
      if (config["jwkURI"].text().empty()) {
        config["jwkURI"].error("is required when useJWKURI is true", "MissingParameter");
      }
      return;
    }
    if (algorithm.empty() && config["signingAlgorithm"].text().empty()) {
      config["signingAlgorithm"].error("is required when useJWKURI is not true",
                                       "MissingParameter");
    }
    if (keys == 0 && !has_keys_in_secrets_file()) {
      node_["secret_config"]["signingKeys"].error("is required when useJWKURI is not true",
                                                  "MissingParameter");
    }
  }

  std::size_t count_signing_keys(const Node& config) const {
    const Node keys = node_["secret_config"]["signingKeys"];
    const std::size_t inlined = config["signingKey"].exists() ? 1 : 0;
    if (keys.value().type() == bson::Type::kArray) return keys.texts().size() + inlined;
    return (keys.text().empty() ? 0 : 1) + inlined;
  }

  bool has_keys_in_secrets_file() const {
    const Node secrets = assembly_.file("secrets.json")["auth_providers"][provider_.type];
    return secrets["signingKeys"].exists() || assembly_.tree.broken.contains("secrets.json");
  }

  void check_oauth2(const Node& config) const {
    if (config["clientId"].text().empty() && !provider_.disabled) {
      config["clientId"].warning("is missing; nobody can sign in with this provider");
    }
    config["openId"].flag();
    if (provider_.domain_restrictions.empty() || provider_.disabled) return;
    const bool has_email = std::any_of(
        provider_.metadata_fields.begin(), provider_.metadata_fields.end(),
        [](const bson::Document& field) { return field["name"].as_string() == "email"; });
    if (!has_email) {
      node_["domain_restrictions"].error("need the metadata field 'email'");
    }
  }

  Assembly& assembly_;
  const Node& node_;
  std::string_view key_;
  AuthProviderConfig provider_;
};

// Exports without ids lack the service of the legacy layouts: the only cluster must be meant.
void guess_service(const Assembly& assembly, const Node& node, CustomUserData& data) {
  if (!data.service.empty() || assembly.config.data_sources.size() != 1) return;
  data.service = assembly.config.data_sources.front().name;
  node["mongo_service_name"].warning("is missing; '" + data.service +
                                     "' is taken, the only data source");
}

void check_service(const Assembly& assembly, const Node& node, CustomUserData& data) {
  guess_service(assembly, node, data);
  const auto known = assembly.service_types.find(data.service);
  if (known == assembly.service_types.end()) {
    node["mongo_service_name"].error("must specify a mongo service id", "ServiceNotFound");
  } else if (known->second == "datalake") {
    node["mongo_service_name"].error("cannot be a federated data source");
  }
}

}  // namespace

void read_auth_providers(Assembly& assembly) {
  if (assembly.tree.is_legacy()) {
    assembly.each_file("auth_providers", [&](const Node& file) {
      ProviderReader(assembly, file, stem(file.file())).read();
    });
  } else {
    assembly.file("auth/providers.json").each_member([&](std::string_view key, const Node& node) {
      ProviderReader(assembly, node, key).read();
    });
  }
  if (assembly.config.find_auth_provider("api-key") == nullptr) {
    AuthProviderConfig api_key;
    api_key.type = "api-key";
    api_key.disabled = true;
    assembly.config.auth_providers.push_back(std::move(api_key));
  }
}

void read_custom_user_data(Assembly& assembly) {
  const Node file = assembly.file("auth/custom_user_data.json");
  const Node in_root = assembly.file(assembly.tree.root_file)["custom_user_data_config"];
  const Node& node = file.exists() ? file : in_root;
  if (!node.exists() || !node.is_object()) return;
  CustomUserData data;
  data.enabled = node["enabled"].flag();
  data.service = node["mongo_service_name"].text();
  if (data.service.empty()) {
    const auto known = assembly.service_names_by_id.find(node["mongo_service_id"].text());
    if (known != assembly.service_names_by_id.end()) data.service = known->second;
  }
  data.database = node["database_name"].text();
  data.collection = node["collection_name"].text();
  data.user_id_field = node["user_id_field"].text();
  data.on_user_creation_function = assembly.function_name(node, "on_user_creation_function_name",
                                                          "on_user_creation_function_id");
  if (data.enabled) {
    check_service(assembly, node, data);
    for (const std::string_view key : {"database_name", "collection_name", "user_id_field"}) {
      node[key].required_text();
    }
    assembly.check_function(node["on_user_creation_function_name"], data.on_user_creation_function);
  }
  assembly.config.custom_user_data = std::move(data);
}

}  // namespace restitch::app
