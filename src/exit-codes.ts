export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_BUG = 70;
