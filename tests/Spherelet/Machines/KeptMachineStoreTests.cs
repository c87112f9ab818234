using CliWrap;
using CliWrap.Buffered;
using Vks.Spherelet.Machines;

namespace Vks.Tests.Spherelet.Machines;

/// <summary>Files that wait for a machine's start.</summary>
public sealed class KeptMachineStoreTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("vks-test-kept-").FullName;

    [Fact]
    public async Task What_waits_is_an_archive_that_tar_takes_also_when_nothing_waits()
    {
        KeptMachineStore store = new(new KeptMachineOptions { RootDirectory = _root, Image = "" });

        Assert.Equal("", await ListAsync(store.PackFiles("demo-1").Archive));
        store.PutFile("demo-1", "demo-1/pki/ca.key", "secret"u8);

        Assert.Equal("demo-1/pki/ca.key\n", await ListAsync(store.PackFiles("demo-1").Archive));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_root, "kept/demo-1/files/demo-1/pki/ca.key")));
    }

    [Fact]
    public void A_file_that_was_put_anew_while_the_machine_took_the_former_one_waits_on()
    {
        KeptMachineStore store = new(new KeptMachineOptions { RootDirectory = _root, Image = "" });
        store.PutFile("demo-1", "same", "1"u8);
        store.PutFile("demo-1", "anew", "1"u8);
        IReadOnlyList<(string File, byte[] Content)> taken = store.PackFiles("demo-1").Files;

        store.PutFile("demo-1", "anew", "2"u8);
        KeptMachineStore.ForgetFiles(taken);

        Assert.Equal(["anew"], store.PackFiles("demo-1").Files.Select(static left => Path.GetFileName(left.File)));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static async Task<string> ListAsync(byte[] archive)
    {
        BufferedCommandResult listed = await Cli.Wrap("tar").WithArguments(["-t", "-f", "-"]).WithStandardInputPipe(PipeSource.FromBytes(archive)).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(listed.ExitCode == 0, listed.StandardError);
        return listed.StandardOutput;
    }
}
