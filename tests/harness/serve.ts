/* Runs the server library at the path given: what the harness starts until there is the command. */
const library = "@xsocket/server";
const server = await (await import(library)).serve({ path: process.argv[2] });
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => void server.stop().then(() => process.exit(0)));
