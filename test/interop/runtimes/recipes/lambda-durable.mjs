/** Serdes for `context.configureSerdes({ defaultSerdes })`, or the `serdes` of one step. */
export function claimsSerdes(claims) {
  return {
    async serialize(value, { entityId, durableExecutionArn }) {
      if (value === undefined) return undefined;
      return claims.encode(JSON.stringify(value), { scope: [durableExecutionArn, entityId] });
    },
    async deserialize(text) {
      return text === undefined ? undefined : JSON.parse(await claims.decode(text));
    },
  };
}
