using CsCheck;
using Vks.Agent.Channel;
using Vks.Agent.Containers;
using Vks.Agent.Host;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Images;

/// <summary>Whom an image's user words mean, by the image's own files and by no others.</summary>
public sealed class AgentUserResolverTests
{
    private const string Passwd = "root:x:0:0:root:/root:/bin/sh\n#web:x:1:1::/:\nweb:x:1000:100:Web:/home/web:/bin/sh\r\n1000:x:7:8::/seven:\nbroken:x\nnohome:x:9:9::\n";
    private const string Group = "root:x:0:\nusers:x:100:web\nadm:x:4:root,web\nwheel:x:10:webmaster\n100:x:55:\nbad:x:x:web\n";

    [Theory]
    [InlineData("", 0, 0, "/root")]
    [InlineData("root", 0, 0, "/root")]
    [InlineData("web", 1000, 100, "/home/web")]
    [InlineData("web:adm", 1000, 4, "/home/web")]
    [InlineData("web:77", 1000, 77, "/home/web")]
    [InlineData("0", 0, 0, "/root")]
    [InlineData("4242", 4242, 0, "/")]
    [InlineData("4242:users", 4242, 100, "/")]
    [InlineData("4242:4243", 4242, 4243, "/")]
    [InlineData(":adm", 0, 4, "/root")]
    [InlineData("web:", 1000, 100, "/home/web")]
    [InlineData("1000", 7, 8, "/seven")]
    [InlineData("web:100", 1000, 55, "/home/web")]
    [InlineData("nohome", 9, 9, "/")]
    public void Words_resolve_to_a_user(string words, uint uid, uint gid, string home)
    {
        ResolvedUser user = UserResolver.Resolve(words, false, [], strict: true, Passwd, Group);

        Assert.Equal((uid, gid, home), (user.Uid, user.Gid, user.Home));
        Assert.Equal([gid], user.Groups);
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("#web")]
    [InlineData("broken")]
    [InlineData("web:nobody")]
    [InlineData("web:adm:x")]
    [InlineData("-1")]
    [InlineData("4294967295")]
    [InlineData("4294967296")]
    [InlineData(" web")]
    public void What_the_files_do_not_know_is_an_invalid_request(string words) =>
        Assert.Equal(GuestFault.InvalidRequest, Assert.Throws<AgentException>(() => UserResolver.Resolve(words, false, [], false, Passwd, Group)).Fault);

    [Fact]
    public void Without_files_numbers_still_work()
    {
        Assert.Equal((5u, 6u, "/"), Facts(UserResolver.Resolve("5:6", false, [], false, null, null)));
        Assert.Equal((0u, 0u, "/"), Facts(UserResolver.Resolve("", false, [], false, null, null)));
        Assert.Throws<AgentException>(() => UserResolver.Resolve("root", false, [], false, null, null));
    }

    [Fact]
    public void Groups_are_those_given_and_those_that_name_the_user_unless_strict()
    {
        Assert.Equal([100u, 3u, 4u], UserResolver.Resolve("web", false, [3, 100, 3], false, Passwd, Group).Groups);
        Assert.Equal([100u, 3u], UserResolver.Resolve("web", false, [3, 100, 3], true, Passwd, Group).Groups);
    }

    [Fact]
    public void A_name_is_looked_up_and_never_taken_for_a_number()
    {
        Assert.Equal((7u, 8u, "/seven"), Facts(UserResolver.Resolve("1000", true, [], false, Passwd, Group)));
        Assert.Equal((1000u, 77u, "/home/web"), Facts(UserResolver.Resolve("web:77", true, [], false, Passwd, Group)));
        foreach (string word in (string[])["4242", "0", "nobody", "web2:77"])
        {
            Assert.Equal(GuestFault.InvalidRequest, Assert.Throws<AgentException>(() => UserResolver.Resolve(word, true, [], false, Passwd, Group)).Fault);
        }
    }

    [Fact]
    public void Any_files_and_words_give_a_user_or_an_invalid_request() =>
        Gen.Select(Gen.String, Gen.String, Gen.String).Sample((words, passwd, group) =>
        {
            try
            {
                Assert.NotEqual(uint.MaxValue, UserResolver.Resolve(words, false, [], false, passwd, group).Uid);
            }
            catch (AgentException refusal)
            {
                Assert.Equal(GuestFault.InvalidRequest, refusal.Fault);
            }
        });

    [Fact]
    public void Links_in_an_image_lead_to_files_of_the_image_only()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vks-agent-");
        try
        {
            string root = Directory.CreateDirectory(Path.Combine(folder.FullName, "rootfs")).FullName;
            Directory.CreateDirectory(Path.Combine(root, "etc"));
            Directory.CreateDirectory(Path.Combine(root, "usr"));
            File.WriteAllText(Path.Combine(folder.FullName, "secret"), "outside");
            File.WriteAllText(Path.Combine(root, "usr", "inside"), new string('x', 10_000));
            File.CreateSymbolicLink(Path.Combine(root, "etc", "absolute"), Path.Combine(folder.FullName, "secret"));
            File.CreateSymbolicLink(Path.Combine(root, "etc", "climbing"), "../../secret");
            File.CreateSymbolicLink(Path.Combine(root, "etc", "magic"), "/proc/self/root" + Path.Combine(folder.FullName, "secret"));
            File.CreateSymbolicLink(Path.Combine(root, "etc", "good"), "/usr/inside");

            Assert.Null(Descriptors.ReadInRoot(root, "etc/absolute", 100));
            Assert.Null(Descriptors.ReadInRoot(root, "etc/climbing", 100));
            Assert.Null(Descriptors.ReadInRoot(root, "etc/magic", 100));
            Assert.Null(Descriptors.ReadInRoot(root, "etc/missing", 100));
            Assert.Equal(new string('x', 10_000), Descriptors.ReadInRoot(root, "etc/good", 1_000_000));
            Assert.Equal(new string('x', 9_000), Descriptors.ReadInRoot(root, "etc/good", 9_000));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (uint Uid, uint Gid, string Home) Facts(ResolvedUser user) => (user.Uid, user.Gid, user.Home);
}
