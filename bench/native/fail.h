#pragma once

/* Says why, with the system's last word if there was one, and ends the program with 1. */
_Noreturn void fail(const char *format, ...);
