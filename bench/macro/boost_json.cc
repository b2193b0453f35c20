// The one place that compiles Boost.JSON, which is used header-only.
#include <boost/json/src.hpp>
