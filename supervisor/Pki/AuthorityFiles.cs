using System.Security.Cryptography;

namespace Vks.Supervisor.Pki;

/// <summary>What all members of one control plane share: four authorities and the key that signs service accounts' tokens.</summary>
internal static class AuthorityFiles
{
    /// <summary>Signs what talks to kube-apiserver, and kube-apiserver itself.</summary>
    public const string Kubernetes = "ca";

    /// <summary>Signs what talks to etcd. Its own: who may use the API may not read the database.</summary>
    public const string Etcd = "etcd-ca";

    /// <summary>Signs kube-apiserver as a client of API servers behind it, whose word on a user's name they take.</summary>
    public const string FrontProxy = "front-proxy-ca";

    /// <summary>Signs the placement services and the schedulers that ask them. Its own: a client of the API may not pose as a scheduler.</summary>
    public const string Placement = "placement-ca";

    /// <summary>The key of service accounts' tokens.</summary>
    public const string ServiceAccount = "service-account";

    /// <summary>Every file of it.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        .. new[] { Kubernetes, Etcd, FrontProxy, Placement }.SelectMany(static name => new[] { name + ".crt", name + ".key" }),
        ServiceAccount + ".key", ServiceAccount + ".pub",
    ];

    /// <summary>Makes what is missing. Nothing that is there is changed, so it can be run again.</summary>
    /// <param name="folder">Where to; made if it is missing.</param>
    /// <param name="cluster">The control plane's name.</param>
    /// <param name="now">The time.</param>
    /// <returns>The names of what was made.</returns>
    public static IReadOnlyList<string> Ensure(string folder, string cluster, DateTimeOffset now)
    {
        PrivateFiles.MakeFolder(folder);
        List<string> made = [];
        foreach ((string name, string commonName) in new[] { (Kubernetes, cluster), (Etcd, cluster + "-etcd"), (FrontProxy, cluster + "-front-proxy"), (Placement, cluster + "-placement") })
        {
            if (!File.Exists(Path.Combine(folder, name + ".crt")))
            {
                CertificateAuthority.Create(folder, name, commonName, now);
                made.Add(name);
            }
        }

        string place = Path.Combine(folder, ServiceAccount);
        if (!File.Exists(place + ".pub"))
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            PrivateFiles.Write(place + ".key", key.ExportECPrivateKeyPem() + "\n", secret: true);
            PrivateFiles.Write(place + ".pub", key.ExportSubjectPublicKeyInfoPem() + "\n", secret: false);
            made.Add(ServiceAccount);
        }

        return made;
    }
}
