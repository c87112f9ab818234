using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>What kube-apiserver writes into its audit log: who changed what, without the contents of secrets and without the machinery's reading.</summary>
internal static class AuditPolicy
{
    private const string Text = """
        apiVersion: audit.k8s.io/v1
        kind: Policy
        # One line a request, when it is answered.
        omitStages: [RequestReceived]
        rules:
        # Leases, endpoints and health checks: many a second, and they say nothing about what somebody wanted.
        - level: None
          nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/metrics", "/openapi*", "/apis*", "/api"]
        - level: None
          resources:
          - { group: coordination.k8s.io, resources: [leases] }
        - level: None
          users: ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"]
          verbs: [get, list, watch]
        - level: None
          users: ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"]
          verbs: [update]
          resources:
          - { group: "", resources: [endpoints, configmaps, events] }
        # Who touched a secret or a token is worth knowing; what is in it must not be in a log.
        - level: Metadata
          resources:
          - { group: "", resources: [secrets, configmaps, "serviceaccounts/token"] }
          - { group: authentication.k8s.io }
        # Commands in a container, attaching and forwarding.
        - level: Request
          resources:
          - { group: "", resources: ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy"] }
        # Reading, of everything else.
        - level: None
          verbs: [get, list, watch]
          userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
        - level: Metadata
          verbs: [get, list, watch]
        # Changes, with what was asked for. Nodes' own status comes every few seconds.
        - level: None
          verbs: [update, patch]
          userGroups: ["system:nodes"]
          resources:
          - { group: "", resources: ["nodes/status", "pods/status", events] }
        - level: Request
          verbs: [create, update, patch, delete, deletecollection]
        - level: Metadata

        """;

    /// <summary>Where a member's policy is.</summary>
    /// <param name="settings">The member.</param>
    public static string PathIn(MemberSettings settings) => Path.Combine(settings.RunDirectory, "audit-policy.yaml");

    /// <summary>Writes it.</summary>
    /// <param name="settings">The member.</param>
    public static void Write(MemberSettings settings) => PrivateFiles.Write(PathIn(settings), Text, secret: false);
}
