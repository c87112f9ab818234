using System.Net;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>The certificates of one member: who is who, and under which names. Pure.</summary>
internal static class MemberCertificates
{
    /// <summary>kube-apiserver as a server.</summary>
    public const string ApiServer = "apiserver";

    /// <summary>kube-apiserver as a client of kubelets.</summary>
    public const string ApiServerToKubelet = "apiserver-to-kubelet";

    /// <summary>kube-apiserver as a client of API servers behind it.</summary>
    public const string FrontProxy = "front-proxy";

    /// <summary>kube-controller-manager.</summary>
    public const string ControllerManager = "controller-manager";

    /// <summary>kube-scheduler.</summary>
    public const string Scheduler = "scheduler";

    /// <summary>The member itself, which may ask kube-apiserver how it is and nothing else.</summary>
    public const string Monitor = "monitor";

    /// <summary>The Supervisor that runs beside the member: the user whom the manifests give its rights.</summary>
    public const string Supervisor = "supervisor";

    /// <summary>A person with all rights.</summary>
    public const string Admin = "admin";

    /// <summary>etcd as a server.</summary>
    public const string EtcdServer = "etcd-server";

    /// <summary>etcd among its peers.</summary>
    public const string EtcdPeer = "etcd-peer";

    /// <summary>kube-apiserver and the member as clients of etcd.</summary>
    public const string EtcdClient = "etcd-client";

    /// <summary>All of them.</summary>
    /// <param name="settings">The member.</param>
    /// <param name="linkAddresses">All addresses on the management link. A peer may see this member's etcd come from any of them: the kernel chooses.</param>
    public static IReadOnlyList<CertificateWanted> Of(MemberSettings settings, IReadOnlyList<IPAddress> linkAddresses)
    {
        IPAddress[] own = [IPAddress.Loopback, settings.Address];
        IPAddress[] peer = [.. own.Concat(linkAddresses).Where(address => !address.Equals(settings.FloatingAddress)).Distinct()];
        IPAddress[] api = [.. own, settings.ServiceAddress, .. settings.FloatingAddress is { } floating ? [floating] : Array.Empty<IPAddress>()];
        return
        [
            new CertificateWanted
            {
                Name = ApiServer, Authority = AuthorityFiles.Kubernetes, CommonName = "kube-apiserver", Addresses = api,
                DnsNames = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", settings.Name],
            },
            Client(ApiServerToKubelet, AuthorityFiles.Kubernetes, "kube-apiserver-to-kubelet", "system:masters"),
            Client(FrontProxy, AuthorityFiles.FrontProxy, "front-proxy-client"),
            Client(ControllerManager, AuthorityFiles.Kubernetes, "system:kube-controller-manager"),
            Client(Scheduler, AuthorityFiles.Kubernetes, "system:kube-scheduler"),
            Client(Monitor, AuthorityFiles.Kubernetes, "vks-member-" + settings.Name, "system:monitoring"),
            .. settings.Placement is null ? Array.Empty<CertificateWanted>() : [Client(Supervisor, AuthorityFiles.Kubernetes, "vks-supervisor")],
            Client(Admin, AuthorityFiles.Kubernetes, "vks-admin", "system:masters"),
            new CertificateWanted { Name = EtcdServer, Authority = AuthorityFiles.Etcd, CommonName = settings.Name, DnsNames = ["localhost"], Addresses = own },
            new CertificateWanted { Name = EtcdPeer, Authority = AuthorityFiles.Etcd, CommonName = settings.Name, Addresses = peer },
            Client(EtcdClient, AuthorityFiles.Etcd, "vks-member-" + settings.Name),
        ];
    }

    private static CertificateWanted Client(string name, string authority, string commonName, string organization = "") =>
        new() { Name = name, Authority = authority, CommonName = commonName, Organization = organization };
}
