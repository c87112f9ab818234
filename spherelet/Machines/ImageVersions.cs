using System.Text.Json;
using System.Text.Json.Serialization;
using Vks.Spherelet.Node;

namespace Vks.Spherelet.Machines;

/// <summary>What the image of members says of its programs. The word is in the image itself, so it cannot be another image's.</summary>
internal static class ImageVersions
{
    /// <summary>In the image: a JSON object of program names and versions.</summary>
    public const string File = "usr/lib/vks/versions.json";

    /// <summary>Reads it.</summary>
    /// <param name="image">A squashfs that is there.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Program to version; empty when the image has no such file, as those built before it.</returns>
    /// <exception cref="KeptMachineException"><see cref="KeptMachineFault.HostFailed"/>: the image has the file, and it is no such object; or its reader is not there.</exception>
    public static async Task<IReadOnlyDictionary<string, string>> ReadAsync(string image, CancellationToken cancellationToken)
    {
        HostToolResult read = await HostTool.RunAsync("rdsquashfs", ["--cat", File, image], "squashfs-tools-ng", cancellationToken);
        if (read.ExitCode == HostTool.NotStarted)
        {
            throw new KeptMachineException(KeptMachineFault.HostFailed, "", $"Reading {File} of {image}: {read.Errors}");
        }

        if (read.ExitCode != 0)
        {
            return new Dictionary<string, string>();
        }

        try
        {
            return JsonSerializer.Deserialize(read.Output, ImageVersionsJson.Default.DictionaryStringString) ?? throw new JsonException("it is empty");
        }
        catch (JsonException problem)
        {
            throw new KeptMachineException(KeptMachineFault.HostFailed, "", $"Image {image}: its {File} is no JSON object of versions: {problem.Message} Do: images/build.sh controlplane", problem);
        }
    }
}

/// <summary>The JSON of an image's versions.</summary>
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class ImageVersionsJson : JsonSerializerContext;
