#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bson/types.h"

namespace restitch::bson {

// Exact Decimal128 arithmetic (34 digits, round half to even) over the Intel decimal library.

// Reads a literal such as "-1.5E+3", "Infinity" or "NaN" (any case), rounding to 34 digits. Nothing
// if the text is no decimal literal or its magnitude is above the format's range.
std::optional<Decimal128> decimal_from_string(std::string_view text);
// The same, and nothing either if rounding would change the value, as Extended JSON demands.
std::optional<Decimal128> decimal_from_string_exact(std::string_view text);
std::string to_string(Decimal128 value);  // as Extended JSON prints it
void append_string(std::string& out, Decimal128 value);
Decimal128 decimal_from_int64(std::int64_t value);
// Rounded to 15 significant digits, trailing zeros kept (2.5 gives 2.50000000000000), as MongoDB
// converts.
Decimal128 decimal_from_double(double value);
// Rounded to 34 significant digits: the whole binary value where they suffice.
Decimal128 decimal_from_double_exact(double value);
double decimal_to_double(Decimal128 value);  // nearest
double decimal_to_double_truncated(
    Decimal128 value);  // toward zero; the largest finite double above the range
std::optional<std::int64_t> decimal_to_int64_exact(Decimal128 value);  // integral and in range
std::optional<std::int64_t> decimal_to_int64_truncated(
    Decimal128 value);  // in range after truncation

bool decimal_is_nan(Decimal128 value);
bool decimal_is_infinite(Decimal128 value);
bool decimal_is_zero(Decimal128 value);
bool decimal_is_negative(Decimal128 value);

Decimal128 decimal_add(Decimal128 a, Decimal128 b);
Decimal128 decimal_subtract(Decimal128 a, Decimal128 b);
Decimal128 decimal_multiply(Decimal128 a, Decimal128 b);
Decimal128 decimal_divide(Decimal128 a, Decimal128 b);
Decimal128 decimal_modulo(Decimal128 a, Decimal128 b);  // sign of the dividend
Decimal128 decimal_negate(Decimal128 a);
Decimal128 decimal_absolute(Decimal128 a);
Decimal128 decimal_power(Decimal128 a, Decimal128 b);
Decimal128 decimal_square_root(Decimal128 a);
Decimal128 decimal_exp(Decimal128 a);
Decimal128 decimal_ln(Decimal128 a);
Decimal128 decimal_log10(Decimal128 a);
enum class Rounding { kHalfEven, kTowardZero, kFloor, kCeiling };
// Rounds at `place` digits behind the point (negative: before it). A value without digits there, or
// too long to be written with that many, is returned as it is.
Decimal128 decimal_round(Decimal128 a, int place, Rounding mode);

// Mathematical order; NaN is equal to NaN and below everything else. Doubles and int64 compare
// exactly.
int decimal_compare(Decimal128 a, Decimal128 b);
int decimal_compare_double(Decimal128 a, double b);
int decimal_compare_int64(Decimal128 a, std::int64_t b);

}  // namespace restitch::bson
