import type { IncomingMessage } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createMechanism } from "../../src/discovery/create-mechanism.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeServer, sendJson, sendStatus } from "../support/fake-server.ts";

let server: FakeServer;
let running: Running | undefined;
const seen: { headers: IncomingMessage["headers"]; body: string }[] = [];

/** Starts a server that answers the body of each request, and a mechanism that asks it. */
async function start(
  name: "ec2" | "lightsail" | "aws",
  fields: string,
  answer: (body: string) => string | object,
  environment: Record<string, string> = {},
) {
  seen.length = 0;
  server = await FakeServer.start((request, _url, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ headers: request.headers, body });
      const found = answer(body);
      if (typeof found === "string") response.end(found);
      else if (Object.keys(found).length === 0) sendStatus(response, 403);
      else sendJson(response, found);
    });
  });
  const told = Object.entries(environment).map(([name, value]) => [
    name,
    value.replace("SERVER", server.url),
  ]);
  const surroundings = realSurroundings({
    maxSleepMs: 20,
    environment: Object.fromEntries(told) as Record<string, string>,
  });
  const lists = discoveryLists(`${name}_sd_configs: [{endpoint: '${server.url}', ${fields}}]`);
  running = runMechanism(createMechanism(name, lists[`${name}Configs`][0]!, "j", surroundings));
  return surroundings;
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await server.stop();
});

const zones = `<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>eu-1a</zoneName><zoneId>euw1-az1</zoneId></item></availabilityZoneInfo></DescribeAvailabilityZonesResponse>`;

const page = (instance: string, next = "") => `<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item>
<ownerId>123</ownerId><instancesSet><item>${instance}</item></instancesSet></item></reservationSet>
${next === "" ? "" : `<nextToken>${next}</nextToken>`}</DescribeInstancesResponse>`;

const full = `<instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName>ip-10</privateDnsName><dnsName>ec2-1</dnsName><instanceType>t3.micro</instanceType>
<placement><availabilityZone>eu-1a</availabilityZone></placement><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>
<privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>1.2.3.4</ipAddress><architecture>x86_64</architecture>
<instanceLifecycle>spot</instanceLifecycle><platform>windows</platform>
<tagSet><item><key>my-tag</key><value>a&amp;b</value></item></tagSet>
<networkInterfaceSet>
<item><subnetId>subnet-1</subnetId><attachment><deviceIndex>1</deviceIndex></attachment><ipv6AddressesSet>
<item><ipv6Address>2001::1</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item><item><ipv6Address>2001::2</ipv6Address></item></ipv6AddressesSet></item>
<item><subnetId>subnet-2</subnetId></item></networkInterfaceSet>`;

const keys = "region: eu-1, access_key: AK, secret_key: SK";

describe("ec2 discovery", () => {
  test("asks page by page, signed, and labels what the answers hold", async () => {
    await start("ec2", `${keys}, filters: [{name: 'tag:a', values: [b, c]}]`, (body) => {
      if (body.includes("DescribeAvailabilityZones")) return zones;
      if (!body.includes("NextToken")) return page(full, "more");
      return page("<instanceId>i-2</instanceId><privateIpAddress>10.0.0.2</privateIpAddress>");
    });
    await running!.until((now) => now.targets().length === 2);
    expect(running!.targets()).toEqual([
      {
        __address__: "10.0.0.1:80",
        __meta_ec2_ami: "ami-1",
        __meta_ec2_architecture: "x86_64",
        __meta_ec2_availability_zone: "eu-1a",
        __meta_ec2_availability_zone_id: "euw1-az1",
        __meta_ec2_default_ipv6_address: "2001::1",
        __meta_ec2_instance_id: "i-1",
        __meta_ec2_instance_lifecycle: "spot",
        __meta_ec2_instance_state: "running",
        __meta_ec2_instance_type: "t3.micro",
        __meta_ec2_ipv6_addresses: ",2001::1,2001::2,",
        __meta_ec2_owner_id: "123",
        __meta_ec2_platform: "windows",
        __meta_ec2_primary_ipv6_addresses: ",,2001::1,",
        __meta_ec2_primary_subnet_id: "subnet-1",
        __meta_ec2_private_dns_name: "ip-10",
        __meta_ec2_private_ip: "10.0.0.1",
        __meta_ec2_public_dns_name: "ec2-1",
        __meta_ec2_public_ip: "1.2.3.4",
        __meta_ec2_region: "eu-1",
        __meta_ec2_subnet_id: ",subnet-1,subnet-2,",
        __meta_ec2_tag_my_tag: "a&b",
        __meta_ec2_vpc_id: "vpc-1",
      },
      {
        __address__: "10.0.0.2:80",
        __meta_ec2_instance_id: "i-2",
        __meta_ec2_owner_id: "123",
        __meta_ec2_private_ip: "10.0.0.2",
        __meta_ec2_region: "eu-1",
      },
    ]);
    const { body, headers } = seen.find((request) => request.body.includes("DescribeInstances"))!;
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      Action: "DescribeInstances",
      Version: "2016-11-15",
      "Filter.1.Name": "tag:a",
      "Filter.1.Value.1": "b",
      "Filter.1.Value.2": "c",
      MaxResults: "1000",
    });
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AK\/\d{8}\/eu-1\/ec2\/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
  });

  test("does without the zones' ids where it may not ask, and leaves out what has no address", async () => {
    const surroundings = await start("aws", `role: ec2, ${keys}`, (body) =>
      body.includes("DescribeAvailabilityZones")
        ? {}
        : page(
            "<instanceId>i-1</instanceId></item><item><instanceId>i-2</instanceId><ipv6Address>2001::1</ipv6Address><placement><availabilityZone>eu-1a</availabilityZone></placement>",
          ),
    );
    await running!.until((now) => now.targets().length === 1);
    expect(running!.targets()[0]).toMatchObject({
      __address__: "[2001::1]:80",
      __meta_ec2_instance_id: "i-2",
    });
    expect(Object.keys(running!.targets()[0]!)).not.toContain("__meta_ec2_availability_zone_id");
    expect(surroundings.logged[0]).toContain(
      "Unable to describe availability zones: server returned HTTP status 403",
    );
  });

  test("finds keys in the environment or in the shared file", async () => {
    const answer = () => page("<instanceId>i-2</instanceId><privateIpAddress>10.0.0.2</privateIpAddress>");
    await start("ec2", "", answer, {
      AWS_REGION: "us-2",
      AWS_ACCESS_KEY_ID: "EK",
      AWS_SECRET_ACCESS_KEY: "s",
      AWS_SESSION_TOKEN: "tok",
    });
    await running!.until((now) => now.targets().length === 1);
    expect(seen[0]!.headers.authorization).toContain("Credential=EK/");
    expect(seen[0]!.headers.authorization).toContain("/us-2/ec2/");
    expect(seen[0]!.headers["x-amz-security-token"]).toBe("tok");
    await running!.stop();
    await server.stop();

    const home = mkdtempSync(join(tmpdir(), "narthex-aws-"));
    const file = join(home, "credentials");
    writeFileSync(
      file,
      "[default]\naws_access_key_id = DK\n[work]\naws_access_key_id = WK\naws_secret_access_key = s\n",
    );
    await start("ec2", "region: us-3, profile: work", answer, { AWS_SHARED_CREDENTIALS_FILE: file });
    await running!.until((now) => now.targets().length === 1);
    expect(seen[0]!.headers.authorization).toContain("Credential=WK/");
    rmSync(home, { recursive: true });
  });

  test("takes a role with its keys, and asks with what that gives until it ends", async () => {
    let taken = 0;
    let forbids = true;
    const surroundings = await start(
      "ec2",
      `${keys}, role_arn: 'arn:aws:iam::1:role/read', external_id: agreed`,
      (body) => {
        if (!body.includes("AssumeRole"))
          return page("<instanceId>i-2</instanceId><privateIpAddress>10.0.0.2</privateIpAddress>");
        if (forbids) return {};
        taken++;
        // The first is about to end, the second lasts.
        const ends = new Date(Date.now() + (taken === 1 ? 1_000 : 900_000)).toISOString();
        return `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>RK${taken}</AccessKeyId>
          <SecretAccessKey>RS</SecretAccessKey><SessionToken>RT</SessionToken><Expiration>${ends}</Expiration>
          </Credentials></AssumeRoleResult></AssumeRoleResponse>`;
      },
      { AWS_ENDPOINT_URL_STS: "SERVER" },
    );
    while (surroundings.logged.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(surroundings.logged.join("\n")).toContain(
      "cannot take role arn:aws:iam::1:role/read: server returned HTTP status 403",
    );
    forbids = false;
    const asked = () => seen.filter(({ body }) => body.includes("DescribeInstances"));
    await running!.until(() => asked().length >= 3);
    const { body, headers } = seen[0]!;
    expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
      Action: "AssumeRole",
      RoleArn: "arn:aws:iam::1:role/read",
      ExternalId: "agreed",
    });
    expect(headers.authorization).toContain("Credential=AK/");
    expect(headers.authorization).toContain("/eu-1/sts/aws4_request");
    expect(headers["x-amz-security-token"]).toBeUndefined();
    expect(taken).toBe(2);
    const last = asked().at(-1)!.headers;
    expect(last.authorization).toContain("Credential=RK2/");
    expect(last["x-amz-security-token"]).toBe("RT");
  });

  test("can't do without a region", async () => {
    await expect(start("ec2", "access_key: a, secret_key: b", () => zones)).rejects.toThrow(
      "ec2 discovery needs a region",
    );
  });
});

test("lightsail discovery reads pages of instances", async () => {
  await start("lightsail", keys, (body) =>
    (JSON.parse(body) as { pageToken?: string }).pageToken === undefined
      ? {
          nextPageToken: "p2",
          instances: [
            {
              name: "web",
              supportCode: "sc",
              blueprintId: "bp",
              bundleId: "bd",
              privateIpAddress: "10.0.0.1",
              publicIpAddress: "1.2.3.4",
              ipv6Addresses: ["2001::1"],
              location: { availabilityZone: "eu-1a" },
              state: { name: "running" },
              tags: [{ key: "my-tag", value: "x" }],
            },
          ],
        }
      : { instances: [{ name: "db", privateIpAddress: "10.0.0.2" }, { name: "none" }] },
  );
  await running!.until((now) => now.targets().length === 2);
  expect(running!.targets()[0]).toEqual({
    __address__: "10.0.0.1:80",
    __meta_lightsail_availability_zone: "eu-1a",
    __meta_lightsail_blueprint_id: "bp",
    __meta_lightsail_bundle_id: "bd",
    __meta_lightsail_instance_name: "web",
    __meta_lightsail_instance_state: "running",
    __meta_lightsail_instance_support_code: "sc",
    __meta_lightsail_ipv6_addresses: ",2001::1,",
    __meta_lightsail_private_ip: "10.0.0.1",
    __meta_lightsail_public_ip: "1.2.3.4",
    __meta_lightsail_region: "eu-1",
    __meta_lightsail_tag_my_tag: "x",
  });
  expect(seen[0]!.headers["x-amz-target"]).toBe("Lightsail_20161128.GetInstances");
});
