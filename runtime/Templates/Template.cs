using Microsoft.Win32.SafeHandles;

namespace Vks.Runtime.Templates;

/// <summary>A booted guest that others start from: its memory and the state of its devices, both only ever read.</summary>
/// <remarks>The files stay open, so deleting them takes nothing from a clone that runs or is about to.</remarks>
internal sealed class Template : IDisposable
{
    private readonly (long Length, DateTime Changed) _memoryStamp;
    private readonly (long Length, DateTime Changed) _stateStamp;
    private readonly string _statePath;
    private readonly SafeFileHandle _state;

    /// <summary>Takes over both handles.</summary>
    internal Template(string name, TemplateRecord record, SafeFileHandle memory, SafeFileHandle state, string statePath)
    {
        (Name, Record, Memory, _state, _statePath) = (name, record, memory, state, statePath);
        (_memoryStamp, _stateStamp) = (StampOf(memory), StampOf(state));
    }

    /// <summary>Its key's name.</summary>
    internal string Name { get; }

    /// <summary>What is known of it.</summary>
    internal TemplateRecord Record { get; }

    /// <summary>Its memory, open for reading.</summary>
    internal SafeFileHandle Memory { get; }

    /// <summary>Nobody has written to its files since they were checked.</summary>
    internal bool IsUntouched => StampOf(Memory) == _memoryStamp && StampOf(_state) == _stateStamp;

    /// <summary>The devices' state, opened anew at its beginning.</summary>
    /// <exception cref="IOException">The file is gone.</exception>
    internal SafeFileHandle OpenState() => File.OpenHandle(_statePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>Lets go of the files; clones keep theirs.</summary>
    public void Dispose()
    {
        Memory.Dispose();
        _state.Dispose();
    }

    private static (long, DateTime) StampOf(SafeFileHandle file) => (RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file));
}
