using Microsoft.Extensions.Logging.Abstractions;
using Vks.Runtime.Guest.Protocol;
using Vks.Runtime.Machines;
using Vks.Spherelet.Network;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>What is kept of pods comes back as it was.</summary>
public sealed class PodsStoreTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("vks-pods-").FullName;
    private readonly PodStore _store;

    public PodsStoreTests() => _store = new PodStore(new PodOptions { RootDirectory = _directory }, NullLogger<PodStore>.Instance);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_pod_and_its_container_come_back_as_they_were_kept()
    {
        PodRecord pod = NewPod();
        ContainerRecord container = NewContainer(pod.Id);

        _store.Save(pod);
        _store.Save(container);
        _store.Save(pod.Id, container.Id, new LogPosition(1, 2, 3, Complete: true));

        PodRecord read = _store.LoadPod(pod.Id)!;
        Assert.Equal([pod.Id], _store.ListPodIds());
        Assert.Equal(pod.Config.Name, read.Config.Name);
        Assert.Equal(pod.Network!.Attachment, read.Network!.Attachment);
        Assert.Equal(pod.Network.Routes, read.Network.Routes);
        Assert.Equal(pod.Config.Labels, read.Config.Labels);
        Assert.Equal(pod.Config.Resources.MemoryBytes, read.Config.Resources.MemoryBytes);
        ContainerRecord back = Assert.Single(_store.LoadContainers(pod.Id));
        Assert.Equal(container.Config.Env, back.Config.Env);
        Assert.Equal(container.Config.Security.PidNamespace, back.Config.Security.PidNamespace);
        Assert.Equal(ContainerPhase.Running, back.Phase);
        Assert.Equal(new LogPosition(1, 2, 3, Complete: true), _store.LoadLogPosition(pod.Id, container.Id));
    }

    [Fact]
    public void A_file_cut_short_is_as_good_as_none_and_the_directory_is_still_listed()
    {
        PodRecord pod = NewPod();
        _store.Save(pod);
        File.WriteAllText(Path.Combine(_store.PodDirectory(pod.Id), "pod.json"), "{\"id\":");

        Assert.Null(_store.LoadPod(pod.Id));
        Assert.Equal([pod.Id], _store.ListPodIds());
    }

    [Fact]
    public void A_deleted_pod_leaves_nothing()
    {
        PodRecord pod = NewPod();
        _store.Save(pod);
        _store.Save(NewContainer(pod.Id));

        _store.DeletePod(pod.Id);
        _store.DeletePod(pod.Id);

        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_directory, "pods")));
    }

    private static PodRecord NewPod() => new()
    {
        Id = PodId.New(),
        CreatedUnixNanoseconds = 5,
        Made = true,
        Network = new PodNetwork
        {
            Attachment = new NetworkAttachment("/run/netns/vks-1", "tap0", "02:00:00:00:00:01", 1500),
            InterfaceName = "eth0",
            Addresses = ["10.88.0.5/16"],
            Routes = [new GuestRoute("0.0.0.0/0", "10.88.0.1", "eth0")],
        },
        Config = new PodConfig
        {
            Name = new PodName("web", "default", "uid", 3),
            Hostname = "web",
            Labels = new Dictionary<string, string> { ["app"] = "web" },
            Resources = new ResourceLimits { MemoryBytes = 9 },
        },
    };

    private static ContainerRecord NewContainer(string podId) => new()
    {
        Id = PodId.New(),
        PodId = podId,
        ImageId = "sha256:1",
        ImageRef = "demo",
        Disks = ["serial"],
        StopSignal = 15,
        CreatedUnixNanoseconds = 6,
        StartedUnixNanoseconds = 7,
        Made = true,
        Config = new ContainerConfig
        {
            Name = "main",
            Image = "demo",
            Env = ["A=1"],
            Security = new ContainerSecurity { PidNamespace = PidNamespace.Pod },
        },
    };
}
