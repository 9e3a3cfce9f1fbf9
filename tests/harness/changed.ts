/** Changes variables of this process's environment until it is disposed of. */
export function changedEnv(changes: Readonly<Record<string, string>>): Disposable {
  const before = Object.keys(changes).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, changes);
  return {
    [Symbol.dispose]() {
      for (const [name, value] of before)
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    },
  };
}

/** Changes this process's current directory until it is disposed of. */
export function changedDirectory(path: string): Disposable {
  const before = process.cwd();
  process.chdir(path);
  return { [Symbol.dispose]: () => process.chdir(before) };
}
