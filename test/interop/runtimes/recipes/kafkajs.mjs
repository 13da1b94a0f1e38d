/** As `producer.send`, with texts that may be larger than the broker takes. */
export async function send(producer, claims, { topic, messages }) {
  const whole = await Promise.all(
    messages.map(async (message) => {
      return message.value === null ? message : { ...message, value: await claims.encode(message.value) };
    }),
  );
  return producer.send({ topic, messages: whole });
}

/** The `eachMessage` of a consumer: `handle` gets the value as a text. */
export function eachMessage(claims, handle) {
  return async ({ message, ...rest }) => {
    const value = message.value === null ? null : await claims.decode(message.value.toString());
    await handle({ ...rest, message: { ...message, value } });
  };
}
