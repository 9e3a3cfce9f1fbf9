/* Prints the cookie of its network namespace. */
import { ownNetnsCookie } from "./cookie.ts";

process.stdout.write(String(ownNetnsCookie()));
