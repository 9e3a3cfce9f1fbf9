/** An object that notes in `names` which of its properties are looked at. */
export function recorded<Shape extends object>(object: Shape, names: Set<string>): Shape {
  return new Proxy(object, {
    get(target, name) {
      names.add(String(name));
      return Reflect.get(target, name) as unknown;
    },
  });
}
