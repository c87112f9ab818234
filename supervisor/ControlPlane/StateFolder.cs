using System.Text.Json;
using Vks.Supervisor.Pki;

namespace Vks.Supervisor.ControlPlane;

/// <summary>What a control plane's author keeps of it: authorities, the admin's kubeconfig, the book of members, and whether its rolling replacement is paused.</summary>
/// <param name="path">The folder.</param>
internal sealed class StateFolder(string path)
{
    private readonly string _book = System.IO.Path.Combine(path, "members.json");
    private readonly string _paused = System.IO.Path.Combine(path, "paused");

    /// <summary>The folder.</summary>
    public string Path { get; } = path;

    /// <summary>Authorities, and the certificates with which their owner talks to etcd and to the API.</summary>
    public string Pki => System.IO.Path.Combine(Path, "pki");

    /// <summary>The admin's kubeconfig.</summary>
    public string KubeconfigFile => System.IO.Path.Combine(Path, "kubeconfig");

    /// <summary>Whether a rolling replacement is to rest. Anybody may say so at any time, so it is a file of its own.</summary>
    public bool IsPaused
    {
        get => File.Exists(_paused);
        set
        {
            if (value)
            {
                PrivateFiles.MakeFolder(Path);
                PrivateFiles.Write(_paused, "", secret: false);
            }
            else
            {
                File.Delete(_paused);
            }
        }
    }

    /// <summary>The folder of a control plane, when its author names no other.</summary>
    /// <param name="named">What its author names, or null.</param>
    /// <param name="name">The control plane.</param>
    public static StateFolder Of(string? named, string name) => new(System.IO.Path.GetFullPath(named ?? System.IO.Path.Combine("/var/lib/vks-supervisor", name)));

    /// <summary>Keeps others from changing the control plane, until what it gives is disposed of or this process ends.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Precondition"/>: somebody does already.</exception>
    public FileStream Lock()
    {
        // Beside the folder: a run that refuses to change anything leaves none.
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        try
        {
            return new FileStream(Path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException problem)
        {
            throw new SupervisorException(SupervisorFault.Precondition, $"another init or apply is at work with {Path}. Do: wait for it, or look at it: supervisor rollout status", problem);
        }
    }

    /// <summary>The book; null when no control plane was made yet.</summary>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.Settings"/>: it cannot be read.</exception>
    public MemberBook? Read()
    {
        try
        {
            return File.Exists(_book) ? JsonSerializer.Deserialize(File.ReadAllBytes(_book), MemberBookJson.Default.MemberBook) : null;
        }
        catch (JsonException problem)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"{_book} is no book of members: {problem.Message}. Do: put it back from a backup; it names each member's host and address", problem);
        }
    }

    /// <summary>Writes the book.</summary>
    /// <param name="book">The book.</param>
    public void Write(MemberBook book)
    {
        PrivateFiles.MakeFolder(Path);
        PrivateFiles.Write(_book, JsonSerializer.SerializeToUtf8Bytes(book, MemberBookJson.Default.MemberBook), secret: true);
    }

    /// <summary>Writes the admin's kubeconfig, and what its owner needs to talk to etcd; what is good stays.</summary>
    /// <param name="settings">The control plane.</param>
    /// <param name="time">The clock.</param>
    /// <returns>The kubeconfig.</returns>
    public string WriteKubeconfig(ControlPlaneSettings settings, TimeProvider time)
    {
        CertificateWanted admin = new() { Name = MemberCertificates.Admin, Authority = AuthorityFiles.Kubernetes, CommonName = "vks-admin", Organization = "system:masters" };
        CertificateWanted etcd = new() { Name = MemberCertificates.EtcdClient, Authority = AuthorityFiles.Etcd, CommonName = "vks-supervisor" };
        new CertificateStore(Pki, TimeSpan.FromDays(365), time).Ensure([admin, etcd]);
        PrivateFiles.Write(KubeconfigFile, Kubeconfig.AdminText(settings.Name, settings.FloatingAddress, Pki), secret: true);
        return KubeconfigFile;
    }
}
