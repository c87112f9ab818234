using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Kit;

/// <summary>A program that tries what other programs expect of files: <c>tests/EndToEnd/file-probe.c</c>, static, so that it runs in any container.</summary>
internal static class FileProbe
{
    /// <summary>Builds it.</summary>
    /// <param name="folder">Where <c>file-probe</c> is to be; made when missing.</param>
    public static async Task BuildAsync(string folder)
    {
        Directory.CreateDirectory(folder);
        BufferedCommandResult built = await Cli.Wrap("gcc")
            .WithArguments(["-static", "-O1", "-o", Path.Combine(folder, "file-probe"), RepositoryRoot.Combine("tests", "EndToEnd", "file-probe.c")])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(built.IsSuccess, built.StandardError);
    }

    /// <summary>What it said of each check: <c>ok</c>, or what happened instead.</summary>
    public static Dictionary<string, string> Read(IEnumerable<string> lines) =>
        lines.Select(line => line.Split(' ', 2)).Where(words => words.Length == 2).ToDictionary(words => words[0], words => words[1]);
}
