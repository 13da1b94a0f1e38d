import { Middleware } from "inngest";

/** Middleware for `new Inngest({ middleware: [claimsMiddleware(claims)] })`. */
export const claimsMiddleware = (claims) =>
  class extends Middleware.BaseMiddleware {
    id = "stowage-claims";

    async transformSendEvent({ events, ...rest }) {
      const whole = events.map(async (event) => ({ ...event, data: await claims.value(event.data) }));
      return { ...rest, events: await Promise.all(whole) };
    }
    async transformFunctionInput({ ctx, ...rest }) {
      const resolved = async (event) => ({ ...event, data: await claims.resolve(event.data) });
      const [event, events] = [await resolved(ctx.event), await Promise.all(ctx.events.map(resolved))];
      return { ...rest, ctx: { ...ctx, event, events } };
    }
    // What a step returns goes to Inngest by its handler, and to the function by the step.
    wrapStepHandler = async ({ next }) => claims.value(await next());
    wrapStep = async ({ next }) => claims.resolve(await next());
    wrapFunctionHandler = async ({ next }) => claims.value(await next());
  };
