using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Kit;

/// <summary>Upstream's programs of Kubernetes, found or built as the lab finds them.</summary>
internal static class KubernetesPrograms
{
    /// <summary>The folder that holds them. Quick when they have been built before.</summary>
    public static async Task<string> FolderAsync()
    {
        BufferedCommandResult result = await Cli.Wrap(RepositoryRoot.Combine("images", "kubernetes", "build.sh")).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.True(result.ExitCode == 0, $"images/kubernetes/build.sh ended with {result.ExitCode}:\n{result.StandardError}");
        return result.StandardOutput.Trim();
    }
}
