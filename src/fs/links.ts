/** Requests and forms that their holder can use without credentials. */
import { checkOptions } from "../errors.js";
import { checkResponseHeaders } from "./attributes.js";
import type { DriverSignedPost, DriverSignedUrl, DriverSignOptions } from "./driver/driver.js";
import { Operation } from "./operation.js";
import {
  checkPost,
  checkSign,
  type PathLike,
  POST,
  SIGN,
  type SignedPostOptions,
  type SignedUrlOptions,
} from "./options.js";
import type { DriverRegistry } from "./registry.js";

/** A request that its holder can send without credentials until it expires. */
export interface SignedUrl extends DriverSignedUrl {
  method: DriverSignOptions["method"];
  expires: Date;
}

/** A form of a browser, which its holder can send without credentials until it expires. */
export interface SignedPost extends DriverSignedPost {
  expires: Date;
}

export function signedUrl(registry: DriverRegistry, at: PathLike, init: SignedUrlOptions): Promise<SignedUrl> {
  const call = new Operation("signedUrl", "sign", {});
  return call.run(async () => {
    checkOptions("signedUrl", init, SIGN);
    const options = checkSign(init);
    const { responseHeaders } = options;
    if (responseHeaders) options.responseHeaders = checkResponseHeaders(responseHeaders);
    const { key, driver } = await call.object(registry, at);
    const expires = new Date(Date.now() + options.expiresIn * 1000);
    return { method: options.method, expires, ...(await driver.signedUrl(key, options)) };
  });
}

export function signedPost(registry: DriverRegistry, at: PathLike, init: SignedPostOptions): Promise<SignedPost> {
  const call = new Operation("signedPost", "sign", {});
  return call.run(async () => {
    checkOptions("signedPost", init, POST);
    const options = checkPost(init);
    const { key, driver } = await (options.prefix ? call.bucket(registry, at) : call.object(registry, at));
    const expires = new Date(Date.now() + options.expiresIn * 1000);
    const from = options.prefix && key !== "" ? `${key}/` : key;
    return { expires, ...(await driver.signedPost(from, options)) };
  });
}
