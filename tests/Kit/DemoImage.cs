using CliWrap;
using CliWrap.Buffered;

namespace Vks.Tests.Kit;

/// <summary>The demo image, as a user gets it: from a registry.</summary>
internal static class DemoImage
{
    /// <summary>Builds the image when needed and pushes it; gives its name in that registry.</summary>
    public static async Task<string> PushAsync(Registry registry, CancellationToken cancellationToken)
    {
        string layout = RepositoryRoot.Combine("artifacts", "demo");
        await RequireAsync(RepositoryRoot.Combine("images", "build.sh"), ["demo", layout], cancellationToken);
        string image = $"{registry.Host}/vks/demo:latest";
        await RequireAsync("skopeo", ["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", $"oci:{layout}:demo", $"docker://{image}"], cancellationToken);
        return image;
    }

    private static async Task RequireAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        BufferedCommandResult result = await Cli.Wrap(program).WithArguments(arguments)
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        Assert.True(result.IsSuccess, $"{program} {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.StandardOutput}{result.StandardError}");
    }
}
