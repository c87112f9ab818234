using System.Net;
using CliWrap;
using CliWrap.Buffered;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Etcd;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.Operations;

/// <summary>Backup and restore of a whole control plane.</summary>
/// <remarks>
/// A backup is taken from one member and holds what all share. A restore is done on every member's host while none runs: each gets the same
/// data under a new identity (a new cluster for etcd, so that a forgotten old member can never join it), and then all are started.
/// </remarks>
/// <param name="settings">The member on this host.</param>
/// <param name="time">The clock.</param>
internal sealed class ControlPlaneBackup(MemberSettings settings, TimeProvider time)
{
    /// <summary>Takes a backup of the running control plane.</summary>
    /// <param name="file">Where to.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The size of the copy of etcd in bytes.</returns>
    /// <exception cref="SupervisorException">This member's etcd does not answer, or authorities are missing.</exception>
    public async Task<long> TakeAsync(string file, CancellationToken cancellationToken)
    {
        string snapshot = Path.Combine(settings.RunDirectory, "backup.snapshot");
        try
        {
            using EtcdConnection etcd = new(IPAddress.Loopback, MemberSettings.EtcdPort, settings.PkiDirectory);
            long bytes = await EtcdSnapshot.TakeAsync(etcd, snapshot, cancellationToken);
            Dictionary<string, string> files = new(StringComparer.Ordinal) { [BackupArchive.Snapshot] = snapshot };
            foreach (string name in AuthorityFiles.All)
            {
                files["pki/" + name] = Path.Combine(settings.PkiDirectory, name);
            }

            string version = MemberState.Read(MemberState.PathIn(settings))?.Etcd.Version ?? "";
            await BackupArchive.WriteAsync(
                file, new BackupManifest(1, settings.Cluster, settings.Name, time.GetUtcNow(), version, new Dictionary<string, string>()), files, cancellationToken);
            return bytes;
        }
        finally
        {
            File.Delete(snapshot);
        }
    }

    /// <summary>Puts a backup in the place of this member's data. What was there stays beside it.</summary>
    /// <param name="file">The backup.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>What the backup says about itself, and where the former data is, or null.</returns>
    /// <exception cref="SupervisorException">The member runs; the backup is damaged or of another control plane; etcdctl refused. Nothing was changed.</exception>
    public async Task<(BackupManifest Manifest, string? Former)> RestoreAsync(string file, CancellationToken cancellationToken)
    {
        string unpacked = Path.Combine(settings.Directory, "restore");
        string data = Path.Combine(settings.Directory, "restore.etcd");
        PrivateFiles.MakeFolder(settings.Directory);
        PrivateFiles.MakeFolder(settings.RunDirectory);
        using FileStream only = MemberLock.Take(settings);
        Forget(unpacked, data);
        try
        {
            BackupManifest manifest = await BackupArchive.ReadAsync(file, unpacked, cancellationToken);
            if (manifest.Cluster != settings.Cluster)
            {
                throw new SupervisorException(SupervisorFault.Settings, $"{file} is of the control plane '{manifest.Cluster}', but this member is of '{settings.Cluster}'. Nothing was changed");
            }

            await MakeDataAsync(Path.Combine(unpacked, BackupArchive.Snapshot), data, cancellationToken);

            // From here on only moves within one file system: after a crash among them the restore can be done again.
            PrivateFiles.MakeFolder(settings.PkiDirectory);
            foreach (string name in AuthorityFiles.All)
            {
                PrivateFiles.Write(Path.Combine(settings.PkiDirectory, name), await File.ReadAllBytesAsync(Path.Combine(unpacked, "pki", name), cancellationToken), secret: name.EndsWith(".key", StringComparison.Ordinal));
            }

            string? former = null;
            if (Directory.Exists(settings.EtcdDirectory) && Directory.EnumerateFileSystemEntries(settings.EtcdDirectory).Any())
            {
                former = $"{settings.EtcdDirectory}.before-{time.GetUtcNow():yyyyMMdd-HHmmss}";
                Directory.Move(settings.EtcdDirectory, former);
            }
            else if (Directory.Exists(settings.EtcdDirectory))
            {
                Directory.Delete(settings.EtcdDirectory);
            }

            Directory.Move(data, settings.EtcdDirectory);
            return (manifest, former);
        }
        finally
        {
            Forget(unpacked, data);
        }
    }

    private async Task MakeDataAsync(string snapshot, string data, CancellationToken cancellationToken)
    {
        // The same in all members: etcd makes the cluster's identity of names and this token.
        string[] arguments =
        [
            "snapshot", "restore", snapshot, "--name", settings.Name, "--data-dir", data,
            "--initial-cluster", MemberPrograms.InitialCluster(settings.Members),
            "--initial-cluster-token", $"{settings.Cluster}-{Convert.ToHexStringLower(await SnapshotIdAsync(snapshot, cancellationToken))}",
            "--initial-advertise-peer-urls", MemberPrograms.PeerUrl(settings.Address),
        ];
        string program = File.Exists("/usr/bin/etcdutl") ? "etcdutl" : "etcdctl";
        BufferedCommandResult result;
        try
        {
            result = await Cli.Wrap(program).WithArguments(arguments).WithEnvironmentVariables(static variables => variables.Set("ETCDCTL_API", "3"))
                .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        }
        catch (System.ComponentModel.Win32Exception problem)
        {
            throw new SupervisorException(SupervisorFault.Host, $"{program} is missing on this host. Do: apt-get install etcd-client", problem);
        }

        if (result.ExitCode != 0)
        {
            throw new SupervisorException(SupervisorFault.Host, $"{program} snapshot restore of {snapshot} ended with {result.ExitCode}: {result.StandardError.Trim()}. Nothing was changed");
        }
    }

    private static async Task<byte[]> SnapshotIdAsync(string snapshot, CancellationToken cancellationToken)
    {
        await using FileStream stream = File.OpenRead(snapshot);
        return (await System.Security.Cryptography.SHA256.HashDataAsync(stream, cancellationToken))[..4];
    }

    private static void Forget(params string[] folders)
    {
        foreach (string folder in folders.Where(Directory.Exists))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
