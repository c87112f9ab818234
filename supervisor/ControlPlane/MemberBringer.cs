using System.Text;
using Vks.Supervisor.Hosts;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>Brings what a member needs to its host: settings and authorities.</summary>
internal static class MemberBringer
{
    /// <summary>Brings all; what is there is written anew. The settings come first, for a removal knows by them what is a member's.</summary>
    /// <param name="host">The host.</param>
    /// <param name="settings">The control plane.</param>
    /// <param name="pki">Folder with the authorities, here.</param>
    /// <param name="member">The member.</param>
    /// <param name="file">Its settings file there.</param>
    /// <param name="members">All members of etcd's cluster.</param>
    /// <param name="join">Whether the others run already.</param>
    /// <param name="cancellationToken">Ends it; what was brought stays.</param>
    public static async Task BringAsync(
        IMemberHost host, ControlPlaneSettings settings, string pki, PlannedMember member, string file, IReadOnlyList<MemberPeer> members, bool join, CancellationToken cancellationToken)
    {
        string place = Path.Combine(Path.GetDirectoryName(file)!, "pki");
        List<(string, ReadOnlyMemory<byte>)> files = [(file, Text(settings, member, file, members, join))];
        foreach (string name in AuthorityFiles.All)
        {
            files.Add((Path.Combine(place, name), await File.ReadAllBytesAsync(Path.Combine(pki, name), cancellationToken)));
        }

        await host.PutAllAsync(files, cancellationToken);
    }

    /// <summary>Brings the settings alone.</summary>
    /// <param name="host">The host.</param>
    /// <param name="settings">The control plane.</param>
    /// <param name="member">The member.</param>
    /// <param name="file">Its settings file there; its folder's folder is where members' folders are.</param>
    /// <param name="members">All members of etcd's cluster.</param>
    /// <param name="join">Whether the others run already.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static Task SettleAsync(
        IMemberHost host, ControlPlaneSettings settings, PlannedMember member, string file, IReadOnlyList<MemberPeer> members, bool join, CancellationToken cancellationToken) =>
        host.PutAsync(file, Text(settings, member, file, members, join), cancellationToken);

    private static byte[] Text(ControlPlaneSettings settings, PlannedMember member, string file, IReadOnlyList<MemberPeer> members, bool join)
    {
        // A member stays where it was put, also when the settings name another folder by now.
        ControlPlaneSettings there = settings with { Directory = Path.GetDirectoryName(Path.GetDirectoryName(file))! };
        return Encoding.UTF8.GetBytes(ControlPlanePlan.Text(there, member, members, join));
    }
}
