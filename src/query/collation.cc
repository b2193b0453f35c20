#include <unicode/coll.h>
#include <unicode/locid.h>
#include <unicode/stringpiece.h>
#include <unicode/uloc.h>
#include <unicode/unistr.h>

#include <array>
#include <vector>

#include "bson/extended_json.h"
#include "query/comparator.h"

namespace restitch::query {
namespace {

constexpr std::string_view kVersion = "57.1";

struct Choice {
  std::string_view name;
  UColAttributeValue value;
};
constexpr std::array<Choice, 3> kCaseFirst = {
    {{"off", UCOL_OFF}, {"upper", UCOL_UPPER_FIRST}, {"lower", UCOL_LOWER_FIRST}}};
constexpr std::array<Choice, 2> kAlternate = {
    {{"non-ignorable", UCOL_NON_IGNORABLE}, {"shifted", UCOL_SHIFTED}}};
constexpr std::array<UColAttributeValue, 5> kStrength = {
    UCOL_PRIMARY, UCOL_SECONDARY, UCOL_TERTIARY, UCOL_QUATERNARY, UCOL_IDENTICAL};

class IcuCollation final : public Collation {
 public:
  IcuCollation(std::unique_ptr<icu::Collator> collator, bson::Document spec)
      : collator_(std::move(collator)), spec_(std::move(spec)) {}

  int compare(std::string_view a, std::string_view b) const override {
    if (a == b) return 0;
    UErrorCode status = U_ZERO_ERROR;
    const UCollationResult order = collator_->compareUTF8(
        icu::StringPiece(a.data(), static_cast<std::int32_t>(a.size())),
        icu::StringPiece(b.data(), static_cast<std::int32_t>(b.size())), status);
    RESTITCH_ASSERT(U_SUCCESS(status));
    return order;
  }

  std::string sort_key(std::string_view text) const override {
    const icu::UnicodeString utf16 = icu::UnicodeString::fromUTF8(
        icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
    constexpr std::int32_t kInlineBytes = 256;
    std::array<std::uint8_t, kInlineBytes> small;
    const std::int32_t size = collator_->getSortKey(utf16, small.data(), kInlineBytes);
    // ICU's terminating zero is left out: its keys hold no other zero, so memcmp order stays.
    if (size <= kInlineBytes) {
      return {reinterpret_cast<const char*>(small.data()), static_cast<std::size_t>(size - 1)};
    }
    std::vector<std::uint8_t> large(static_cast<std::size_t>(size));
    collator_->getSortKey(utf16, large.data(), size);
    return {reinterpret_cast<const char*>(large.data()), static_cast<std::size_t>(size - 1)};
  }

  const bson::Document& spec() const override { return spec_; }

 private:
  std::unique_ptr<icu::Collator> collator_;
  bson::Document spec_;
};

Error wrong_type(std::string_view field, bson::Type actual, std::string_view expected) {
  return mongo_error(14, "BSON field 'collation." + std::string(field) + "' is the wrong type '" +
                             std::string(bson::alias_of(actual)) + "', expected " +
                             std::string(expected));
}

Error bad_choice(std::string_view field, std::string_view value) {
  return mongo_error(2, "Enumeration value '" + std::string(value) + "' for field 'collation." +
                            std::string(field) + "' is not a valid value.");
}

template <std::size_t N>
const Choice* find_choice(const std::array<Choice, N>& choices, std::string_view name) {
  for (const Choice& choice : choices) {
    if (choice.name == name) return &choice;
  }
  return nullptr;
}

template <std::size_t N>
std::string_view name_of_choice(const std::array<Choice, N>& choices, UColAttributeValue value) {
  for (const Choice& choice : choices) {
    if (choice.value == value) return choice.name;
  }
  return choices.front().name;
}

bool is_known_locale(const icu::Locale& locale, std::string_view requested) {
  if (locale.isBogus() || std::string_view(locale.getName()) != requested) return false;
  return requested == "root" || *uloc_getISO3Language(locale.getName()) != '\0';
}

Result<bool> read_bool(std::string_view field, bson::ValueView value) {
  if (value.type() == bson::Type::kBool) return value.get_bool();
  if (value.is_number()) return value.truthy();
  return wrong_type(field, value.type(), "types '[bool, long, int, decimal, double]'");
}

Result<std::string_view> read_string(std::string_view field, bson::ValueView value) {
  const auto text = value.as_string();
  if (!text) return wrong_type(field, value.type(), "type 'string'");
  return *text;
}

// Collects the options of one specification and applies them to a collator.
class SpecReader {
 public:
  explicit SpecReader(icu::Collator& collator) : collator_(collator) {}

  Status read(bson::View spec) {
    for (const bson::Element& element : spec) RESTITCH_CHECK(read_option(element));
    if (U_FAILURE(status_)) return mongo_error(2, "Failed to set a collation attribute");
    return check_combination();
  }

  bson::Document completed(std::string_view locale) {
    bson::Builder builder;
    builder.append("locale", locale);
    builder.append("caseLevel", is_on(UCOL_CASE_LEVEL));
    builder.append("caseFirst", name_of_choice(kCaseFirst, get(UCOL_CASE_FIRST)));
    builder.append("strength", strength());
    builder.append("numericOrdering", is_on(UCOL_NUMERIC_COLLATION));
    builder.append("alternate", name_of_choice(kAlternate, get(UCOL_ALTERNATE_HANDLING)));
    const bool spaces_only = collator_.getMaxVariable() == UCOL_REORDER_CODE_SPACE;
    builder.append("maxVariable", spaces_only ? "space" : "punct");
    builder.append("normalization", is_on(UCOL_NORMALIZATION_MODE));
    builder.append("backwards", is_on(UCOL_FRENCH_COLLATION));
    builder.append("version", kVersion);
    return std::move(builder).finish();
  }

 private:
  void set(UColAttribute attribute, UColAttributeValue value) {
    collator_.setAttribute(attribute, value, status_);
  }
  UColAttributeValue get(UColAttribute attribute) {
    return collator_.getAttribute(attribute, status_);
  }
  bool is_on(UColAttribute attribute) { return get(attribute) == UCOL_ON; }

  std::int32_t strength() {
    const UColAttributeValue value = get(UCOL_STRENGTH);
    for (std::size_t i = 0; i < kStrength.size(); ++i) {
      if (kStrength[i] == value) return static_cast<std::int32_t>(i + 1);
    }
    return 3;
  }

  Status read_option(const bson::Element& element) {
    const std::string_view name = element.name;
    if (name == "locale") return {};  // read before
    if (name == "caseLevel") return read_flag(element, UCOL_CASE_LEVEL);
    if (name == "numericOrdering") return read_flag(element, UCOL_NUMERIC_COLLATION);
    if (name == "normalization") return read_flag(element, UCOL_NORMALIZATION_MODE);
    if (name == "backwards") {
      has_backwards_ = true;
      return read_flag(element, UCOL_FRENCH_COLLATION);
    }
    if (name == "caseFirst") return read_choice(element, UCOL_CASE_FIRST, kCaseFirst);
    if (name == "alternate") return read_choice(element, UCOL_ALTERNATE_HANDLING, kAlternate);
    if (name == "strength") return read_strength(element.value);
    if (name == "maxVariable") return read_max_variable(element.value);
    if (name == "version") return read_version(element.value);
    return mongo_error(40415,
                       "BSON field 'collation." + std::string(name) + "' is an unknown field.");
  }

  Status read_flag(const bson::Element& element, UColAttribute attribute) {
    RESTITCH_TRY(const bool on, read_bool(element.name, element.value));
    set(attribute, on ? UCOL_ON : UCOL_OFF);
    return {};
  }

  template <std::size_t N>
  Status read_choice(const bson::Element& element, UColAttribute attribute,
                     const std::array<Choice, N>& choices) {
    RESTITCH_TRY(const std::string_view name, read_string(element.name, element.value));
    const Choice* choice = find_choice(choices, name);
    if (choice == nullptr) return bad_choice(element.name, name);
    set(attribute, choice->value);
    return {};
  }

  Status read_strength(bson::ValueView value) {
    if (!value.is_number()) {
      return wrong_type("strength", value.type(), "types '[long, int, decimal, double]'");
    }
    const auto number = value.as_integer();
    const auto out_of_range = [&](std::string_view bound) {
      return mongo_error(51024, "BSON field 'strength' value must be " + std::string(bound) +
                                    ", actual value '" + bson::to_shell(value) + "'");
    };
    if (!number || *number > 5) return out_of_range("<= 5");
    if (*number < 1) return out_of_range(">= 1");
    set(UCOL_STRENGTH, kStrength[static_cast<std::size_t>(*number - 1)]);
    return {};
  }

  Status read_max_variable(bson::ValueView value) {
    RESTITCH_TRY(const std::string_view name, read_string("maxVariable", value));
    if (name == "punct") {
      collator_.setMaxVariable(UCOL_REORDER_CODE_PUNCTUATION, status_);
    } else if (name == "space") {
      collator_.setMaxVariable(UCOL_REORDER_CODE_SPACE, status_);
    } else {
      return bad_choice("maxVariable", name);
    }
    return {};
  }

  static Status read_version(bson::ValueView value) {
    RESTITCH_TRY(const std::string_view version, read_string("version", value));
    if (version == kVersion) return {};
    return mongo_error(161, "Requested collation version " + std::string(version) +
                                ", but the only available collator version was " +
                                std::string(kVersion));
  }

  Status check_combination() {
    const std::int32_t level = strength();
    const bool case_level = is_on(UCOL_CASE_LEVEL);
    if (get(UCOL_CASE_FIRST) != UCOL_OFF && !case_level && level < 3) {
      return mongo_error(
          2, "'caseFirst' is invalid unless 'caseLevel' is on or 'strength' is greater than 2");
    }
    if (has_backwards_ && is_on(UCOL_FRENCH_COLLATION) && level == 1) {
      return mongo_error(2, "'backwards' is invalid with 'strength' of 1");
    }
    return {};
  }

  icu::Collator& collator_;
  UErrorCode status_ = U_ZERO_ERROR;
  bool has_backwards_ = false;
};

}  // namespace

Result<std::shared_ptr<const Collation>> Collation::parse(bson::View spec) {
  using Pointer = std::shared_ptr<const Collation>;
  if (spec.empty()) return Pointer();
  const bson::ValueView locale_value = spec["locale"];
  if (locale_value.is_missing()) {
    return mongo_error(40414, "BSON field 'collation.locale' is missing but a required field");
  }
  RESTITCH_TRY(const std::string_view name, read_string("locale", locale_value));
  if (name == "simple") {
    if (spec.count() > 1) {
      return mongo_error(
          2, "The 'simple' locale cannot have other collation options: " + bson::to_shell(spec));
    }
    return Pointer();
  }

  const std::string text(name);
  const icu::Locale locale(text.c_str());
  if (name.find('\0') != std::string_view::npos || !is_known_locale(locale, name)) {
    return mongo_error(2, "Field 'locale' is invalid in: " + bson::to_shell(spec));
  }
  UErrorCode status = U_ZERO_ERROR;
  std::unique_ptr<icu::Collator> collator(icu::Collator::createInstance(locale, status));
  if (U_FAILURE(status) || collator == nullptr) {
    return mongo_error(2, "Failed to create collator for: " + bson::to_shell(spec));
  }
  SpecReader reader(*collator);
  RESTITCH_CHECK(reader.read(spec));
  bson::Document completed = reader.completed(name);
  return Pointer(std::make_shared<IcuCollation>(std::move(collator), std::move(completed)));
}

}  // namespace restitch::query
