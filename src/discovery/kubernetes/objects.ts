/** The parts of Kubernetes's objects that discovery looks at, as its API gives them in JSON. */

type StringMap = Readonly<Record<string, string>>;

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: StringMap;
  readonly annotations?: StringMap;
  readonly ownerReferences?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly controller?: boolean;
  }[];
}

export interface KubernetesObject {
  readonly metadata: ObjectMeta;
}

export interface Node extends KubernetesObject {
  readonly spec?: { readonly providerID?: string };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly daemonEndpoints?: { readonly kubeletEndpoint?: { readonly Port?: number } };
  };
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly ports?: readonly ContainerPort[];
}

interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
}

export interface Pod extends KubernetesObject {
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  readonly status?: {
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface Service extends KubernetesObject {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly externalName?: string;
    readonly loadBalancerIP?: string;
    readonly ipFamilies?: readonly string[];
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

export interface ObjectReference {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

export interface EndpointAddress {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: ObjectReference;
}

export interface Endpoints extends KubernetesObject {
  readonly subsets?: readonly {
    readonly addresses?: readonly EndpointAddress[];
    readonly notReadyAddresses?: readonly EndpointAddress[];
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
  }[];
}

export interface SliceEndpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly deprecatedTopology?: StringMap;
  readonly targetRef?: ObjectReference;
}

export interface SlicePort {
  readonly name?: string | null;
  readonly port?: number | null;
  readonly protocol?: string | null;
  readonly appProtocol?: string | null;
}

export interface EndpointSlice extends KubernetesObject {
  readonly addressType?: string;
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly SlicePort[] | null;
}

export interface Ingress extends KubernetesObject {
  readonly spec?: {
    readonly ingressClassName?: string;
    readonly tls?: readonly { readonly hosts?: readonly string[] }[];
    readonly rules?: readonly {
      readonly host?: string;
      readonly http?: { readonly paths?: readonly { readonly path?: string }[] };
    }[];
  };
}

/** Where each kind of object is listed: the part of the path before and after `namespaces/<name>/`. */
export const RESOURCES = {
  node: { api: "/api/v1/", plural: "nodes", isNamespaced: false },
  namespace: { api: "/api/v1/", plural: "namespaces", isNamespaced: false },
  pod: { api: "/api/v1/", plural: "pods", isNamespaced: true },
  service: { api: "/api/v1/", plural: "services", isNamespaced: true },
  endpoints: { api: "/api/v1/", plural: "endpoints", isNamespaced: true },
  endpointslice: { api: "/apis/discovery.k8s.io/v1/", plural: "endpointslices", isNamespaced: true },
  ingress: { api: "/apis/networking.k8s.io/v1/", plural: "ingresses", isNamespaced: true },
  replicaset: { api: "/apis/apps/v1/", plural: "replicasets", isNamespaced: true },
  job: { api: "/apis/batch/v1/", plural: "jobs", isNamespaced: true },
} as const;

export type ResourceKind = keyof typeof RESOURCES;

/** `namespace/name`, or the name of what belongs to no namespace. */
export function objectKey({ metadata }: KubernetesObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}
