export * from "./address.ts";
export * from "./codec.ts";
export * from "./constants.ts";
export * from "./edit-distance.ts";
export * from "./error.ts";
export * from "./shell-word.ts";
