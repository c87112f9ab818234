using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Kit;

/// <summary>A program that tries what other programs expect of files: <c>tests/EndToEnd/file-probe.c</c>, static, so that it runs in any container.</summary>
internal static class FileProbe
{
    private const int Checks = 44;

    /// <summary>Builds it unless it is there.</summary>
    /// <param name="folder">Where <c>file-probe</c> is to be; made when missing.</param>
    public static async Task BuildAsync(string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        Directory.CreateDirectory(folder);
        BufferedCommandResult built = await Cli.Wrap("gcc")
            .WithArguments(["-static", "-O1", "-o", Path.Combine(folder, "file-probe"), RepositoryRoot.Combine("tests", "EndToEnd", "file-probe.c")])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(built.IsSuccess, built.StandardError);
    }

    /// <summary>Waits until a container whose program it is has ended well and said all.</summary>
    /// <returns>What it said of each check: <c>ok</c>, or what happened instead.</returns>
    public static async Task<Dictionary<string, string>> ReadAsync(PodUnderTest pod, string containerId, string name, TimeSpan limit, CancellationToken cancellationToken)
    {
        Assert.Equal(0, (await pod.WaitExitedAsync(containerId, limit, cancellationToken)).ExitCode);
        await Eventually.TrueAsync(
            () => Task.FromResult(pod.ReadLines(name).Any(line => line.StartsWith("free_space", StringComparison.Ordinal))), limit, () => pod.ReadLog(name), cancellationToken);
        Dictionary<string, string> said = pod.ReadLines(name).Select(line => line.Split(' ', 2)).Where(words => words.Length == 2).ToDictionary(words => words[0], words => words[1]);
        Assert.Equal(Checks, said.Count);
        return said;
    }
}
