/* Prints the cookie of the network namespace that it runs in. */
import { ownNetnsCookie } from "./cookie.ts";

process.stdout.write(String(ownNetnsCookie()));
