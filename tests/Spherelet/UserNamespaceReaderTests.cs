using Vks.Runtime.Guest.Protocol;
using Vks.Spherelet.Cri;
using Vks.Spherelet.Pods;
using V1 = Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Spherelet;

/// <summary>Which user namespaces a pod can have, and how the host shows its files to one.</summary>
public sealed class UserNamespaceReaderTests
{
    private static readonly (string Why, Action<V1.UserNamespace> Change)[] s_wrong =
    [
        ("2 mappings", options => options.Uids.Add(Mapping())),
        ("0 mappings", options => options.Gids.Clear()),
        ("from 1 on", options => options.Uids[0].ContainerId = 1),
        ("maps 0 ids", options => options.Gids[0].Length = 0),
        ("ids up to", options => options.Uids[0].HostId = uint.MaxValue - 5),
        ("mode Container", options => options.Mode = V1.NamespaceMode.Container),
        ("mode Target", options => options.Mode = V1.NamespaceMode.Target),
    ];

    [Fact]
    public void One_mapping_from_root_on_is_read_and_told_again()
    {
        V1.UserNamespace options = Options();

        GuestUserNamespace? read = UserNamespaceReader.Read(new V1.NamespaceOption { UsernsOptions = options });

        Assert.Equal(new GuestUserNamespace(new IdRange(1000, 65536), new IdRange(1000, 65536)), read);
        Assert.Equal(options, UserNamespaceReader.Write(read));
        Assert.Null(UserNamespaceReader.Read(new V1.NamespaceOption()));
        Assert.Null(UserNamespaceReader.Read(new V1.NamespaceOption { UsernsOptions = new V1.UserNamespace { Mode = V1.NamespaceMode.Node } }));
    }

    [Fact]
    public void Any_other_is_refused_with_the_reason() => Assert.All(s_wrong, wrong =>
    {
        V1.UserNamespace options = Options();
        wrong.Change(options);

        PodException refused = Assert.Throws<PodException>(() => UserNamespaceReader.Read(new V1.NamespaceOption { UsernsOptions = options }));

        Assert.Equal(PodFault.InvalidConfig, refused.Fault);
        Assert.Contains(wrong.Why, refused.Message, StringComparison.Ordinal);
    });

    [Fact]
    public void The_file_server_is_somebody_on_mapped_mounts_whatever_ids_the_pod_has()
    {
        Assert.Equal("0 1000 65536\n2000003 2000003 1\n", IdMapNamespace.Lines(new IdRange(1000, 65536), 2_000_003));
        Assert.Equal("0 1966080 65536\n", IdMapNamespace.Lines(new IdRange(1_966_080, 65536), 2_000_003));
        Assert.Equal("0 3000000 3000000\n4294967294 2000003 1\n", IdMapNamespace.Lines(new IdRange(3_000_000, 3_000_000), 2_000_003));
    }

    private static V1.UserNamespace Options() => new() { Mode = V1.NamespaceMode.Pod, Uids = { Mapping() }, Gids = { Mapping() } };

    private static V1.IDMapping Mapping() => new() { ContainerId = 0, HostId = 1000, Length = 65536 };
}
