#pragma once

#include <string>
#include <string_view>

namespace restitch::app {

// What is wrong with a schedule of five fields (minute, hour, day of month, month, weekday), or "".
std::string problem_of_schedule(std::string_view schedule);

}  // namespace restitch::app
