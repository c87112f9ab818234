using System.Net;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>How clients of kube-apiserver find it and show who they are.</summary>
internal static class Kubeconfig
{
    /// <summary>Where the kubeconfig of one client is.</summary>
    /// <param name="settings">The member.</param>
    /// <param name="identity">Name of the client's certificate.</param>
    public static string PathIn(MemberSettings settings, string identity) => Path.Combine(settings.PkiDirectory, identity + ".kubeconfig");

    /// <summary>Writes those of the member's own programs, and a person's with all rights.</summary>
    /// <param name="settings">The member; its certificates are there.</param>
    public static void WriteAll(MemberSettings settings)
    {
        // By the names of files, which clients read again: a new certificate needs no restart.
        string[] programs = [MemberCertificates.ControllerManager, MemberCertificates.Scheduler, .. settings.Placement is null ? Array.Empty<string>() : [MemberCertificates.Supervisor]];
        foreach (string program in programs)
        {
            string place = Path.Combine(settings.PkiDirectory, program);
            PrivateFiles.Write(
                PathIn(settings, program),
                Text(settings.Cluster, $"https://127.0.0.1:{MemberSettings.ApiPort}", $"certificate-authority: {settings.PkiDirectory}/{AuthorityFiles.Kubernetes}.crt", program,
                    $"client-certificate: {place}.crt", $"client-key: {place}.key"),
                secret: true);
        }

        PrivateFiles.Write(PathIn(settings, MemberCertificates.Admin), AdminText(settings.Cluster, settings.FloatingAddress ?? settings.Address, settings.PkiDirectory), secret: true);
    }

    /// <summary>The kubeconfig of a person with all rights, with everything in it: it is for copying.</summary>
    /// <param name="cluster">The control plane's name.</param>
    /// <param name="address">Where its API is.</param>
    /// <param name="pki">Folder with the authority and the admin's certificate.</param>
    public static string AdminText(string cluster, IPAddress address, string pki)
    {
        string admin = Path.Combine(pki, MemberCertificates.Admin);
        return Text(
            cluster, $"https://{MemberSettings.UrlHost(address)}:{MemberSettings.ApiPort}", $"certificate-authority-data: {Base64(Path.Combine(pki, AuthorityFiles.Kubernetes + ".crt"))}",
            MemberCertificates.Admin, $"client-certificate-data: {Base64(admin + ".crt")}", $"client-key-data: {Base64(admin + ".key")}");
    }

    private static string Base64(string file) => Convert.ToBase64String(File.ReadAllBytes(file));

    private static string Text(string cluster, string server, string authority, string user, string certificate, string key) => $$"""
        apiVersion: v1
        kind: Config
        clusters:
        - name: {{cluster}}
          cluster:
            server: {{server}}
            {{authority}}
        users:
        - name: {{user}}
          user:
            {{certificate}}
            {{key}}
        contexts:
        - name: {{cluster}}
          context: { cluster: {{cluster}}, user: {{user}} }
        current-context: {{cluster}}

        """;
}
