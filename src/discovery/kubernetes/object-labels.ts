import { prefixedLabels, sanitizeLabelName, type LabelRecord } from "../target-group.ts";
import type {
  ContainerPort,
  Container,
  KubernetesObject,
  Node,
  ObjectMeta,
  Pod,
  Service,
} from "./objects.ts";

export const PREFIX = "__meta_kubernetes_";

/** Where objects that belong to others are looked up; undefined where there is none, or it isn't followed. */
export interface Related {
  readonly node: (name: string) => Node | undefined;
  readonly namespace: (name: string) => KubernetesObject | undefined;
  readonly pod: (namespace: string, name: string) => Pod | undefined;
  readonly service: (namespace: string, name: string) => Service | undefined;
  readonly replicaSet: (namespace: string, name: string) => KubernetesObject | undefined;
  readonly job: (namespace: string, name: string) => KubernetesObject | undefined;
  readonly attaches: {
    readonly node: boolean;
    readonly namespace: boolean;
    readonly deployment: boolean;
    readonly job: boolean;
    readonly cronjob: boolean;
  };
}

/** Name, labels and annotations of an object, under `<what>_`. */
export function metaLabels(meta: ObjectMeta, what: string): LabelRecord {
  return { [`${PREFIX}${what}_name`]: meta.name, ...labelsAndAnnotations(meta, what) };
}

function labelsAndAnnotations({ annotations, labels }: ObjectMeta, what: string): LabelRecord {
  return {
    ...prefixedLabels(`${PREFIX}${what}_label_`, labels),
    ...presence(`${PREFIX}${what}_labelpresent_`, labels),
    ...prefixedLabels(`${PREFIX}${what}_annotation_`, annotations),
    ...presence(`${PREFIX}${what}_annotationpresent_`, annotations),
  };
}

/** `true` under every name: what tells an empty value from none. */
export function presence(prefix: string, values: Readonly<Record<string, string>> | undefined): LabelRecord {
  return Object.fromEntries(
    Object.keys(values ?? {}).map((name) => [prefix + sanitizeLabelName(name), "true"]),
  );
}

/** What every object of a namespace has: its name, and the namespace's own labels where that is wanted. */
export function namespaceLabels(namespace: string, related: Related): LabelRecord {
  const object = related.attaches.namespace ? related.namespace(namespace) : undefined;
  return {
    [`${PREFIX}namespace`]: namespace,
    ...(object ? labelsAndAnnotations(object.metadata, "namespace") : {}),
  };
}

/** The labels of the node that something runs on, where that is wanted. */
export function attachedNodeLabels(name: string | undefined, related: Related): LabelRecord {
  if (!related.attaches.node || !name) return {};
  const node = related.node(name);
  return node === undefined ? {} : metaLabels(node.metadata, "node");
}

/** What tells a pod, wherever a pod stands behind a target. */
export function podLabels(pod: Pod, related: Related): LabelRecord {
  const { metadata, spec, status } = pod;
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status.toLowerCase() ?? "unknown";
  const controller = controllerOf(pod);
  return {
    ...metaLabels(metadata, "pod"),
    [`${PREFIX}pod_ip`]: status?.podIP ?? "",
    [`${PREFIX}pod_ready`]: ready,
    [`${PREFIX}pod_phase`]: status?.phase ?? "",
    [`${PREFIX}pod_node_name`]: spec?.nodeName ?? "",
    [`${PREFIX}pod_host_ip`]: status?.hostIP ?? "",
    [`${PREFIX}pod_uid`]: metadata.uid ?? "",
    ...(controller
      ? {
          [`${PREFIX}pod_controller_kind`]: controller.kind,
          [`${PREFIX}pod_controller_name`]: controller.name,
        }
      : {}),
    ...workloadLabels(pod, related),
  };
}

function controllerOf({ metadata }: KubernetesObject) {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** What made the pod, one step further than its controller. */
function workloadLabels(pod: Pod, related: Related): LabelRecord {
  const { attaches } = related;
  const controller = controllerOf(pod);
  const namespace = pod.metadata.namespace ?? "";
  const labels: Record<string, string> = {};
  if (controller?.kind === "ReplicaSet" && attaches.deployment) {
    const replicaSet = related.replicaSet(namespace, controller.name);
    const owner = replicaSet && controllerOf(replicaSet);
    if (owner?.kind === "Deployment") labels[`${PREFIX}pod_deployment_name`] = owner.name;
  }
  if (controller?.kind === "Job") {
    if (attaches.job) labels[`${PREFIX}pod_job_name`] = controller.name;
    const job = attaches.cronjob ? related.job(namespace, controller.name) : undefined;
    const owner = job && controllerOf(job);
    if (owner?.kind === "CronJob") labels[`${PREFIX}pod_cronjob_name`] = owner.name;
  }
  return labels;
}

/** A container of a pod; init containers come last. */
export interface PodContainer {
  readonly container: Container;
  readonly isInit: boolean;
}

export function containersOf({ spec }: Pod): PodContainer[] {
  return [
    ...(spec?.containers ?? []).map((container) => ({ container, isInit: false })),
    ...(spec?.initContainers ?? []).map((container) => ({ container, isInit: true })),
  ];
}

export function containerLabels({ container, isInit }: PodContainer): LabelRecord {
  return {
    [`${PREFIX}pod_container_name`]: container.name,
    [`${PREFIX}pod_container_image`]: container.image ?? "",
    [`${PREFIX}pod_container_init`]: String(isInit),
  };
}

export function containerPortLabels({ containerPort, name, protocol }: ContainerPort): LabelRecord {
  return {
    [`${PREFIX}pod_container_port_name`]: name ?? "",
    [`${PREFIX}pod_container_port_number`]: String(containerPort),
    [`${PREFIX}pod_container_port_protocol`]: protocol ?? "",
  };
}
