// The parts of the report page that are sources of their own: page.html, page.css and the three files
// page_*.js, which embed.sh makes constants of.
#pragma once

namespace gort::chaos {

extern const char kPageHtml[];
extern const char kPageCss[];
extern const char kPageJs[];

}  // namespace gort::chaos
