import { describe, expect, test } from "vitest";
import { signAwsRequest } from "../../src/http-client/aws-signature.ts";

const credentials = {
  accessKey: "AKIDEXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  sessionToken: "",
};
const now = Date.UTC(2015, 7, 30, 12, 36, 0);

/** The signatures are those of Amazon's published examples. */
describe("Signature Version 4", () => {
  test.each([
    ["GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    ["POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
    [
      "GET",
      "/?Param2=value2&Param1=value1",
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
  ])("of %s %s", (method, path, signature) => {
    const headers = signAwsRequest(
      {
        method,
        url: `https://example.amazonaws.com${path}`,
        headers: {},
        body: "",
        region: "us-east-1",
        service: "service",
      },
      credentials,
      now,
    );
    expect(headers).toEqual({
      "x-amz-date": "20150830T123600Z",
      authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    });
  });

  test("covers a session's token and every header given", () => {
    const headers = signAwsRequest(
      {
        method: "POST",
        url: "https://example.amazonaws.com/a%20b",
        headers: { "Content-Type": "text/plain" },
        body: "x",
        region: "r",
        service: "s",
      },
      { ...credentials, sessionToken: "tok" },
      now,
    );
    expect(headers["authorization"]).toContain(
      "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,",
    );
    expect(headers).toMatchObject({ "content-type": "text/plain", "x-amz-security-token": "tok" });
  });
});
