using System.Globalization;
using Vks.Supervisor.Pki;
using Vks.Supervisor.Placement;

namespace Vks.Supervisor.ControlPlane;

/// <summary>What lets a member's kube-scheduler and kube-apiserver ask the placement service on their host.</summary>
/// <param name="settings">The member; <see cref="MemberSettings.Placement"/> is not null.</param>
/// <param name="time">The clock.</param>
internal sealed class MemberPlacement(MemberSettings settings, TimeProvider time)
{
    private static readonly string[] s_issued = ["server.crt", "scheduler.crt"];

    private readonly ServiceCertificates _certificates = new(settings.PlacementDirectory, time);

    /// <summary>Where kube-scheduler's configuration is.</summary>
    /// <param name="settings">The member.</param>
    public static string SchedulerConfigIn(MemberSettings settings) => Path.Combine(settings.PlacementDirectory, "kube-scheduler.yaml");

    /// <summary>Writes kube-scheduler's configuration.</summary>
    /// <param name="kubernetes">Its version.</param>
    public void WriteSchedulerConfig(string kubernetes) => PrivateFiles.Write(
        SchedulerConfigIn(settings),
        SchedulerConfig.Write(kubernetes, Kubeconfig.PathIn(settings, MemberCertificates.Scheduler), settings.Placement!.ToString(), settings.PlacementDirectory, elect: true),
        secret: false);

    /// <summary>Makes the certificates that are missing or old, of the authority that all members share.</summary>
    /// <returns>Whether there are other ones than before: who has read the old ones must be started anew.</returns>
    public bool EnsureCertificates()
    {
        PrivateFiles.MakeFolder(settings.PlacementDirectory);
        foreach (string end in new[] { ".crt", ".key" })
        {
            string shared = Path.Combine(settings.PkiDirectory, AuthorityFiles.Placement + end);
            if (!File.Exists(shared))
            {
                throw new SupervisorException(
                    SupervisorFault.Settings, $"{shared} is missing, which all members share. Do: supervisor member authorities --directory {settings.PkiDirectory} --cluster {settings.Cluster} on one member, and copy it to the others");
            }

            string place = Path.Combine(settings.PlacementDirectory, "ca" + end);
            byte[] bytes = File.ReadAllBytes(shared);
            if (!File.Exists(place) || !File.ReadAllBytes(place).AsSpan().SequenceEqual(bytes))
            {
                PrivateFiles.Write(place, bytes, secret: end == ".key");
                foreach (string issued in s_issued)
                {
                    File.Delete(Path.Combine(settings.PlacementDirectory, issued));
                }
            }
        }

        string before = Stamp();
        _certificates.Ensure();
        return Stamp() != before;
    }

    private string Stamp() => string.Join(' ', s_issued.Select(name =>
        File.GetLastWriteTimeUtc(Path.Combine(settings.PlacementDirectory, name)).Ticks.ToString(CultureInfo.InvariantCulture)));
}
