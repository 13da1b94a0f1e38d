/** Workflows with large values in every place that a payload can have. */
import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  setHandler,
} from "@temporalio/workflow";

const { grow, shrink } = proxyActivities({ startToCloseTimeout: "1 minute", retry: { maximumAttempts: 3 } });
export const append = defineSignal("append");
export const current = defineQuery("current");
export const replace = defineUpdate("replace");
export const finish = defineSignal("finish");

/** An activity makes the input larger, another one looks at the result. */
export async function throughActivities(text) {
  const large = await grow(text);
  return { length: await shrink(large), large };
}

export async function throughMessages(text) {
  let state = text;
  let ended = false;
  setHandler(append, (more) => {
    state += more;
  });
  setHandler(current, () => state);
  setHandler(replace, (other) => {
    const before = state;
    state = other;
    return before;
  });
  setHandler(finish, () => {
    ended = true;
  });
  await condition(() => ended);
  return state;
}

export async function throughChildren(text) {
  return executeChild(throughContinuation, { args: [text, 2] });
}

export async function throughContinuation(text, rounds) {
  if (rounds > 0) await continueAsNew(`${text}${rounds}`, rounds - 1);
  return text;
}
