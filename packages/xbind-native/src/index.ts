export * from "./errno.ts";
export * from "./libraries.ts";
export * from "./syscalls.ts";
