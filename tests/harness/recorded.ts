/** Wraps an object so that `names` collects the properties that are read. */
export function recorded<Shape extends object>(object: Shape, names: Set<string>): Shape {
  return new Proxy(object, {
    get(target, name) {
      names.add(String(name));
      return Reflect.get(target, name) as unknown;
    },
  });
}
