/**
 * Classes across copies of this library. One process can hold two of each: its two builds, or two versions. `instanceof`
 * knows the classes of its own copy only, so that a path of the other would be taken for any other object.
 */

/** Under it the instances of a class have the name of their class, in every copy. */
export const CLASS: unique symbol = /* @__PURE__ */ Symbol.for("stowage.class");

/** Whether `value` is an instance of the class of this name, of this copy of the library or of another. */
export function isInstance<T extends { readonly [CLASS]: string }>(value: unknown, name: T[typeof CLASS]): value is T {
  return (value as { [CLASS]?: unknown } | null | undefined)?.[CLASS] === name;
}
