/**
 * Recognizes classes across copies of this library. One process can hold two copies: both builds, or two versions.
 * `instanceof` knows only the classes of its own copy and would take a path of the other for an unrelated object.
 */

/** The property under which an instance carries the name of its class, in every copy. */
export const CLASS: unique symbol = /* @__PURE__ */ Symbol.for("stowage.class");

/** Returns whether `value` is an instance of the named class, from this copy of the library or another. */
export function isInstance<T extends { readonly [CLASS]: string }>(value: unknown, name: T[typeof CLASS]): value is T {
  return (value as { [CLASS]?: unknown } | null | undefined)?.[CLASS] === name;
}
