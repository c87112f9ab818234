using CsCheck;
using Vks.Runtime.Host;
using Vks.Spherelet.Pods;

namespace Vks.Tests.Spherelet;

/// <summary>An emptyDir is told by the path that a kubelet has for it.</summary>
public sealed class EmptyDirPathTests
{
    private const string Pod = "/var/lib/kubelet/pods/6a2e";
    private const string Folder = Pod + "/volumes/kubernetes.io~empty-dir/v";
    private const string SubPath = Pod + "/volume-subpaths/v/c/0";

    private static readonly Gen<string> s_name = Gen.String[Gen.Char.AlphaNumeric, 1, 12];

    [Fact]
    public void Only_folders_of_emptyDirs_are_emptyDirs() => Gen.Select(s_name, s_name, s_name).Sample((uid, kind, name) =>
    {
        Assert.Null(Find($"/k/pods/{uid}/volumes/kubernetes.io~{kind}/{name}", []));
        Assert.Null(Find($"/k/pods/{uid}/volumes/kubernetes.io~empty-dir/{name}/more", []));
        Assert.Equal($"/k/pods/{uid}/volumes/kubernetes.io~empty-dir/{name}", Find($"/k/pods/{uid}/volumes/kubernetes.io~empty-dir/{name}/", [])?.Folder);
    });

    [Fact]
    public void Two_volumes_have_two_serials_that_a_disk_can_have() => Gen.Select(s_name, s_name).Where((one, other) => one != other).Sample((one, other) =>
    {
        string[] serials = [.. new[] { one, other }.Select(static name => Find($"/k/pods/u/volumes/kubernetes.io~empty-dir/{name}", [])!.Serial)];
        Assert.NotEqual(serials[0], serials[1]);
        Assert.All(serials, static serial => Assert.Matches("^vol-[0-9a-f]{16}$", serial));
    });

    [Fact]
    public void The_medium_is_what_is_mounted_on_the_folder()
    {
        Assert.False(Find(Folder, [])?.InMemory);
        Assert.True(Find(Folder, new() { [Folder] = new HostMount("/", "tmpfs") })?.InMemory);
        Assert.Null(Find(Folder, new() { [Folder] = new HostMount("/", "hugetlbfs") }));
    }

    [Theory]
    [InlineData("/var/lib/kubelet/pods/6a2e/volumes/kubernetes.io~empty-dir/v/a/b", "ext4")]
    [InlineData("/pods/6a2e/volumes/kubernetes.io~empty-dir/v/a/b", "xfs")]
    public void A_subPath_is_where_its_mount_leads(string root, string type)
    {
        EmptyDir found = Find(SubPath, new() { [SubPath] = new HostMount(root, type) })!;

        Assert.Equal((Folder, "a/b", false), (found.Folder, found.SubPath, found.InMemory));
    }

    [Fact]
    public void A_subPath_of_one_in_memory_is_relative_to_that() =>
        Assert.Equal("a/b", Find(SubPath, new() { [Folder] = new HostMount("/", "tmpfs"), [SubPath] = new HostMount("/a/b", "tmpfs") })?.SubPath);

    [Fact]
    public void A_subPath_that_leads_elsewhere_is_refused()
    {
        Assert.Null(EmptyDir.Find(SubPath, static _ => false, static _ => new HostMount("/etc", "ext4")));
        PodException refused = Assert.Throws<PodException>(() => Find(SubPath, new() { [SubPath] = new HostMount("/etc", "ext4") }));
        Assert.Contains("'/etc' is", refused.Message, StringComparison.Ordinal);
        Assert.Throws<PodException>(() => Find(SubPath, []));
    }

    private static EmptyDir? Find(string path, Dictionary<string, HostMount> mounts) => EmptyDir.Find(path, static _ => true, mounts.GetValueOrDefault);
}
