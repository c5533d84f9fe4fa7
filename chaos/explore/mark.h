// By which a program of mode "explore" is known from outside.
#pragma once

namespace gort::chaos {
inline constexpr char kExploreMark[] = "gort: this program can be explored, 1";
}
