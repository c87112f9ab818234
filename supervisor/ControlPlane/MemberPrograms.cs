using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Settings to command lines. Pure. The arguments hold for etcd 3.4 to 3.6 and Kubernetes 1.20 to 1.36.</summary>
internal static class MemberPrograms
{
    /// <summary>Name of etcd.</summary>
    public const string Etcd = "etcd";

    /// <summary>Name of the API server.</summary>
    public const string ApiServer = "kube-apiserver";

    /// <summary>Name of the controllers.</summary>
    public const string ControllerManager = "kube-controller-manager";

    /// <summary>Name of the scheduler.</summary>
    public const string Scheduler = "kube-scheduler";

    /// <summary>Name of the Supervisor: controllers and placement.</summary>
    public const string Supervisor = "supervisor";

    /// <summary>The store of this member.</summary>
    /// <param name="settings">The member.</param>
    public static ProgramPlan PlanEtcd(MemberSettings settings)
    {
        string host = MemberSettings.UrlHost(settings.Address);
        string pki = settings.PkiDirectory;
        return new ProgramPlan(Etcd, settings.Etcd,
        [
            "--name", settings.Name,
            "--data-dir", settings.EtcdDirectory,
            "--logger", "zap", "--log-outputs", "stderr",
            "--listen-client-urls", $"https://127.0.0.1:{MemberSettings.EtcdPort},https://{host}:{MemberSettings.EtcdPort}",
            "--advertise-client-urls", $"https://{host}:{MemberSettings.EtcdPort}",
            "--listen-peer-urls", $"https://{host}:{MemberSettings.EtcdPeerPort}",
            "--initial-advertise-peer-urls", $"https://{host}:{MemberSettings.EtcdPeerPort}",
            "--initial-cluster", InitialCluster(settings.Members),
            "--initial-cluster-token", settings.Cluster,
            "--initial-cluster-state", settings.Join ? "existing" : "new",
            "--client-cert-auth", "--trusted-ca-file", Crt(pki, AuthorityFiles.Etcd),
            "--cert-file", Crt(pki, MemberCertificates.EtcdServer), "--key-file", Key(pki, MemberCertificates.EtcdServer),
            "--peer-client-cert-auth", "--peer-trusted-ca-file", Crt(pki, AuthorityFiles.Etcd),
            "--peer-cert-file", Crt(pki, MemberCertificates.EtcdPeer), "--peer-key-file", Key(pki, MemberCertificates.EtcdPeer),
            // A member that comes back after it was cut off asks first, and so does not unseat a leader that all others follow.
            "--pre-vote=true",
            "--quota-backend-bytes", Number((long)EtcdQuotaGiB(settings.Size) << 30),
        ]);
    }

    /// <summary>The API server of this member. It uses this member's etcd alone, so that its readiness says how this member is.</summary>
    /// <param name="settings">The member.</param>
    /// <param name="isEmulated">The processor is a program, and everything takes some thirty times as long.</param>
    public static ProgramPlan PlanApiServer(MemberSettings settings, bool isEmulated)
    {
        string pki = settings.PkiDirectory;
        (int reads, int writes) = InFlight(settings.Size);
        List<string> arguments =
        [
            "--etcd-servers", $"https://127.0.0.1:{MemberSettings.EtcdPort}",
            "--etcd-cafile", Crt(pki, AuthorityFiles.Etcd),
            "--etcd-certfile", Crt(pki, MemberCertificates.EtcdClient), "--etcd-keyfile", Key(pki, MemberCertificates.EtcdClient),
            "--bind-address", settings.Address.AddressFamily == AddressFamily.InterNetworkV6 ? "::" : "0.0.0.0",
            "--advertise-address", settings.Address.ToString(),
            "--secure-port", Number(MemberSettings.ApiPort),
            "--cert-dir", Path.Combine(settings.RunDirectory, ApiServer),
            "--service-cluster-ip-range", settings.Services.ToString(),
            "--allow-privileged",
            "--authorization-mode", "Node,RBAC",
            "--enable-admission-plugins", "NodeRestriction",
            "--enable-bootstrap-token-auth",
            "--profiling=false",
            "--client-ca-file", Crt(pki, AuthorityFiles.Kubernetes),
            "--tls-cert-file", Crt(pki, MemberCertificates.ApiServer), "--tls-private-key-file", Key(pki, MemberCertificates.ApiServer),
            "--tls-min-version", "VersionTLS12",
            "--kubelet-preferred-address-types", "InternalIP",
            // No kube-proxy need run on a member's host: API servers behind it are reached by their own addresses.
            "--enable-aggregator-routing",
            "--kubelet-client-certificate", Crt(pki, MemberCertificates.ApiServerToKubelet), "--kubelet-client-key", Key(pki, MemberCertificates.ApiServerToKubelet),
            "--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
            "--service-account-key-file", Path.Combine(pki, AuthorityFiles.ServiceAccount + ".pub"),
            "--service-account-signing-key-file", Key(pki, AuthorityFiles.ServiceAccount),
            "--requestheader-client-ca-file", Crt(pki, AuthorityFiles.FrontProxy),
            "--requestheader-allowed-names", "front-proxy-client",
            "--requestheader-username-headers", "X-Remote-User",
            "--requestheader-group-headers", "X-Remote-Group",
            "--requestheader-extra-headers-prefix", "X-Remote-Extra-",
            "--proxy-client-cert-file", Crt(pki, MemberCertificates.FrontProxy), "--proxy-client-key-file", Key(pki, MemberCertificates.FrontProxy),
            "--max-requests-inflight", Number(reads),
            "--max-mutating-requests-inflight", Number(writes),
            "--audit-policy-file", AuditPolicy.PathIn(settings),
            "--audit-log-path", Path.Combine(settings.LogDirectory, "audit.log"),
            "--audit-log-maxage", Number(settings.Audit.MaxAgeDays),
            "--audit-log-maxbackup", Number(settings.Audit.MaxBackups),
            "--audit-log-maxsize", Number(settings.Audit.MaxSizeMiB),
        ];
        if (settings.Oidc is { } oidc)
        {
            arguments.AddRange(OidcArguments(oidc));
        }

        if (isEmulated)
        {
            // Upstream ends the whole server when a request of its own start has had no answer within this time (a minute, if not said).
            arguments.AddRange(["--request-timeout", "5m"]);
        }

        arguments.AddRange(Features(settings));

        return new ProgramPlan(ApiServer, Path.Combine(settings.Programs, ApiServer), arguments);
    }

    /// <summary>The controllers; one member's at a time do the work, chosen by a lease.</summary>
    /// <param name="settings">The member.</param>
    public static ProgramPlan PlanControllerManager(MemberSettings settings)
    {
        string pki = settings.PkiDirectory;
        List<string> arguments =
        [
            .. ForClient(settings, ControllerManager, MemberCertificates.ControllerManager),
            "--use-service-account-credentials",
            "--root-ca-file", Crt(pki, AuthorityFiles.Kubernetes),
            "--service-account-private-key-file", Key(pki, AuthorityFiles.ServiceAccount),
            "--cluster-signing-cert-file", Crt(pki, AuthorityFiles.Kubernetes), "--cluster-signing-key-file", Key(pki, AuthorityFiles.Kubernetes),
            "--cluster-name", settings.Cluster,
            .. Features(settings),
        ];
        if (settings.Pods is { } pods)
        {
            arguments.AddRange(["--allocate-node-cidrs", "--cluster-cidr", pods.ToString(), "--service-cluster-ip-range", settings.Services.ToString()]);
        }

        return new ProgramPlan(ControllerManager, Path.Combine(settings.Programs, ControllerManager), arguments) { Niceness = AfterTheApi };
    }

    /// <summary>What starts may not starve what it needs in order to start.</summary>
    private const int AfterTheApi = 10;

    /// <summary>The scheduler; as with the controllers, one at a time.</summary>
    /// <param name="settings">The member.</param>
    public static ProgramPlan PlanScheduler(MemberSettings settings) => new(Scheduler, Path.Combine(settings.Programs, Scheduler),
    [
        .. ForClient(settings, Scheduler, MemberCertificates.Scheduler),
        .. settings.Placement is null ? Array.Empty<string>() : ["--config", MemberPlacement.SchedulerConfigIn(settings)],
        .. Features(settings),
    ])
    {
        Niceness = AfterTheApi,
    };

    /// <summary>The Supervisor of this member's host. It uses this member's API server alone, as its scheduler does: one is not there without the other.</summary>
    /// <param name="settings">The member; <see cref="MemberSettings.Placement"/> is not null.</param>
    /// <param name="program">The Supervisor's program.</param>
    public static ProgramPlan PlanSupervisor(MemberSettings settings, string program) => new(Supervisor, program,
    [
        "run",
        "--kubeconfig", Kubeconfig.PathIn(settings, MemberCertificates.Supervisor),
        "--identity", settings.Name,
        "--service-address", settings.Placement!.ToString(),
        "--certificates", settings.PlacementDirectory,
        "--member-state", MemberState.PathIn(settings),
    ])
    {
        Niceness = AfterTheApi,
    };

    /// <summary>Members as etcd takes them: <c>a=https://10.0.0.11:2380,…</c>.</summary>
    /// <param name="members">The members.</param>
    public static string InitialCluster(IEnumerable<MemberPeer> members) => string.Join(',', members.Select(static member => $"{member.Name}={PeerUrl(member.Address)}"));

    /// <summary>Where peers find a member's etcd.</summary>
    /// <param name="address">Its management address.</param>
    public static string PeerUrl(IPAddress address) => $"https://{MemberSettings.UrlHost(address)}:{MemberSettings.EtcdPeerPort}";

    // Delegated authentication and authorization let Prometheus read metrics with a token of the cluster.
    private static IEnumerable<string> ForClient(MemberSettings settings, string program, string identity)
    {
        string kubeconfig = Kubeconfig.PathIn(settings, identity);
        return
        [
            "--kubeconfig", kubeconfig, "--authentication-kubeconfig", kubeconfig, "--authorization-kubeconfig", kubeconfig,
            "--bind-address", "127.0.0.1",
            "--cert-dir", Path.Combine(settings.RunDirectory, program),
            "--leader-elect=true",
            "--profiling=false",
        ];
    }

    private static IEnumerable<string> Features(MemberSettings settings) => settings.FeatureGates.Length > 0 ? ["--feature-gates", settings.FeatureGates] : [];

    private static IEnumerable<string> OidcArguments(OidcSettings oidc)
    {
        yield return $"--oidc-issuer-url={oidc.IssuerUrl}";
        yield return $"--oidc-client-id={oidc.ClientId}";
        yield return $"--oidc-username-claim={oidc.UsernameClaim}";
        yield return $"--oidc-username-prefix={oidc.UsernamePrefix}";
        if (oidc.GroupsClaim.Length > 0)
        {
            yield return $"--oidc-groups-claim={oidc.GroupsClaim}";
            yield return $"--oidc-groups-prefix={oidc.GroupsPrefix}";
        }

        if (oidc.CaFile.Length > 0)
        {
            yield return $"--oidc-ca-file={oidc.CaFile}";
        }
    }

    private static int EtcdQuotaGiB(MemberSize size) => size switch { MemberSize.Tiny => 1, MemberSize.Small => 2, MemberSize.Medium => 4, _ => 8 };

    // Twice as many reads as writes, as upstream's defaults (400 and 200) have it.
    private static (int Reads, int Writes) InFlight(MemberSize size) => size switch
    {
        MemberSize.Tiny => (200, 100),
        MemberSize.Small => (400, 200),
        MemberSize.Medium => (800, 400),
        _ => (1600, 800),
    };

    private static string Crt(string pki, string name) => Path.Combine(pki, name + ".crt");

    private static string Key(string pki, string name) => Path.Combine(pki, name + ".key");

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
