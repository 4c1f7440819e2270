declare const brand: unique symbol

/** A number or string that must not be mixed up with another of the same primitive type. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }
