using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Vks.Spherelet.Images;

/// <summary>Credentials in a file for as long as a registry tool needs them: never on a command line, where <c>ps</c> shows them.</summary>
internal sealed class RegistryAuthFile : IDisposable
{
    private const string Auths = "auths";
    private const string Helpers = "credHelpers";

    private RegistryAuthFile(string path) => FilePath = path;

    /// <summary>The file, mode 0600; containers-auth.json(5).</summary>
    public string FilePath { get; }

    /// <summary>The folder of such files; emptied when the store opens.</summary>
    public static string Folder(string runtimeDirectory) => Path.Combine(runtimeDirectory, "registry-auth");

    /// <summary>Writes the file: the host's own credentials, and these for their registry, where they win.</summary>
    /// <param name="runtimeDirectory">Has the folder.</param>
    /// <param name="hostFile">The host's own credentials, or null.</param>
    /// <param name="image">The image; its registry gets the credentials, unless they name another.</param>
    /// <param name="credentials">The credentials.</param>
    /// <exception cref="ImageException"><see cref="ImageFault.BadSettings"/>: the host's file cannot be read.</exception>
    public static RegistryAuthFile Write(string runtimeDirectory, string? hostFile, ImageReference image, RegistryCredentials credentials)
    {
        JsonObject document = hostFile is null ? [] : Read(hostFile, image);
        string registry = credentials.Registry.Length > 0 ? credentials.Registry : image.Registry;
        Forget(document, Helpers, registry);
        Forget(document, Auths, registry);
        JsonObject entry = new()
        {
            ["auth"] = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.Username}:{credentials.Password}")),
        };
        if (credentials.IdentityToken.Length > 0)
        {
            entry["identitytoken"] = credentials.IdentityToken;
        }

        if (document[Auths] is JsonObject auths)
        {
            auths[registry] = entry;
        }
        else
        {
            document[Auths] = new JsonObject { [registry] = entry };
        }

        string folder = Folder(runtimeDirectory);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string path = Path.Combine(folder, $"{Guid.NewGuid():N}.json");
        using FileStream file = new(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(Encoding.UTF8.GetBytes(document.ToJsonString()));
        return new RegistryAuthFile(path);
    }

    /// <inheritdoc/>
    public void Dispose() => File.Delete(FilePath);

    private static JsonObject Read(string hostFile, ImageReference image)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(hostFile)) as JsonObject ?? throw new JsonException("it is not a JSON object");
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            // Not the parser's words, which may quote a password.
            string why = e is JsonException ? "it is not JSON" : e.Message;
            throw new ImageException(
                ImageFault.BadSettings, image.ToString(), $"Could not pull {image}: the credentials in {hostFile} cannot be read: {why}. Mend the file that registry-auth-file names.", e);
        }
    }

    /// <summary>An entry for a part of the registry would win over one for the whole of it.</summary>
    private static void Forget(JsonObject document, string member, string registry)
    {
        if (document[member] is JsonObject entries)
        {
            foreach (string key in entries.Select(static entry => entry.Key).ToArray())
            {
                if (RegistryHost.Of(key) == registry)
                {
                    entries.Remove(key);
                }
            }
        }
    }
}
